// The worker of worker.c in node: worker.js STEPS FILE SECONDS.
'use strict'
const fs = require('fs')
const http = require('http')
const { randomUUID } = require('crypto')

const socketPath = process.env.FIRN_API.replace('unix://', '')
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

// One exchange with firn.
function exchange (path, body) {
  return new Promise((resolve, reject) => {
    const data = JSON.stringify(body)
    const headers = { 'Content-Length': Buffer.byteLength(data) }
    const request = http.request({ socketPath, path, method: 'POST', headers, agent: false }, answer => {
      let text = ''
      answer.on('data', chunk => { text += chunk })
      answer.on('error', reject)
      answer.on('end', () => answer.complete
        ? resolve({ status: answer.statusCode, result: JSON.parse(text) })
        : reject(new Error('hung up')))
    })
    request.on('error', reject)
    request.end(data)
  })
}

// Asks until somebody has answered: a checkpoint hangs the connection up, and after a restore the
// same is asked again, by the same token.
async function ask (path, body) {
  for (;;) {
    let answer
    try {
      answer = await exchange(path, body)
    } catch (e) {
      await sleep(50)
      continue
    }
    if (answer.status !== 200) throw new Error(answer.result.error)
    return answer.result
  }
}

async function main (steps, path, seconds) {
  let restores = 0
  for (let step = 0; step < steps; step++) {
    fs.appendFileSync(path, `${step} ${restores}\n`)
    console.log('step', step)
    const token = randomUUID()
    const { side } = seconds > 0
      ? await ask('/suspend', { token, for: seconds })
      : await ask('/checkpoint', { token })
    if (side === 'after') restores++
  }
  await ask('/exit', { code: 0, output: { steps, restores } })
  process.exit(0)
}

main(Number(process.argv[2]), process.argv[3], Number(process.argv[4]))
