#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/execution-options.h"
#include "execution/control.h"
#include "execution/recover.h"

struct run_options {
    struct execution_options start;
    bool wait;
};

static const struct option table[] = {
    {.type = OPTION_TABLE, .table = execution_table, .offset = offsetof(struct run_options, start)},
    {"wait", 0, OPTION_BOOL, offsetof(struct run_options, wait),
     .help = "Wait until it is over, print its output and end with its exit code"},
    {0},
};

static int read_config(const char *path, struct json **ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    if (!string_equal(path, "-"))
        return js_parse_file(path, ret, err);
    for (ssize_t n = 1; n > 0;) {
        n = read_full(0, buf_reserve(&text, 65536), 65536);
        if (n < 0)
            return error_errno(err, (int)-n, "cannot read the config from stdin");
        text.size += (size_t)n;
    }
    return js_parse(text.data, text.size, "the config on stdin", ret, err);
}

static int wait_for(struct execution *e, struct error *err)
{
    int r = control_wait(e, err);
    if (r < 0)
        return r;
    if (e->state == EXECUTION_FAILED)
        fprintf(stderr, "Error: execution %s failed: %s\n", e->id, e->error ? e->error : "");
    _cleanup_free_ char *output = e->output ? js_dump(e->output, 0) : NULL;
    if (output)
        printf("%s\n", output);
    return e->exit_code;
}

static int run(struct call *call, struct error *err)
{
    const struct run_options *o = call->options;
    struct start_options start;
    _cleanup_json_ struct json *config = NULL;
    _cleanup_execution_ struct execution *e = NULL;
    int r = execution_options_make(&o->start, &start, err);
    if (r == 0)
        r = recover_all(call->firn, err);
    if (r == 0)
        r = read_config(call->args[0], &config, err);
    if (r == 0)
        r = execution_start(call->firn, config, &start, &e, err);
    if (r < 0)
        return r;
    if (o->wait)
        return wait_for(e, err);
    printf("%s\n", e->id);
    return 0;
}

const struct command command_execution_run = {
    .paths = {"execution run", "execution start"},
    .usage = "[options] CONFIG|-",
    .help = "Start an execution from a JSON config",
    .options = table,
    .options_size = sizeof(struct run_options),
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
