/* Registers held through a long spin: general, x87, SSE/AVX with its control word, AVX-512. */
#include <cpuid.h>
#include <pthread.h>

#include "guest.h"

#define VECTORS 32

static _Alignas(64) uint8_t in[VECTORS][64], out[VECTORS][64];
static uint64_t general[8];
static unsigned started, finished, stop;
static bool avx512;
static double x87_out[3];
static uint32_t mxcsr_out;
static uint16_t control_out;

#define EACH_16(X)                                                                                 \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define EACH_HIGH(X)                                                                               \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define LOAD_YMM(n)  "vmovdqa " #n "*64(%0), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqa %%ymm" #n ", " #n "*64(%1)\n"
#define LOAD_ZMM(n)  "vmovdqa64 " #n "*64(%0), %%zmm" #n "\n"
#define STORE_ZMM(n) "vmovdqa64 %%zmm" #n ", " #n "*64(%1)\n"
#define SPIN         "1: pause\n cmpl $0, (%2)\n je 1b\n"

static void spin_avx(void)
{
    __asm__ volatile("lock incl (%3)\n" EACH_16(LOAD_YMM) SPIN EACH_16(STORE_YMM) "vzeroupper\n"
                     :
                     : "r"(in), "r"(out), "r"(&stop), "r"(&started)
                     : "memory", "cc");
}

static void spin_avx512(void)
{
    uint64_t k = 0x0123456789abcdefULL, k_now = 0;
    __asm__ volatile("kmovq %4, %%k3\n lock incl (%3)\n" EACH_16(LOAD_ZMM) EACH_HIGH(LOAD_ZMM)
                         SPIN EACH_16(STORE_ZMM)
                             EACH_HIGH(STORE_ZMM) "kmovq %%k3, %4\n vzeroupper\n"
                     :
                     : "r"(in), "r"(out), "r"(&stop), "r"(&started), "r"(k)
                     : "memory", "cc");
    __asm__ volatile("kmovq %%k3, %0" : "=r"(k_now));
    if (k_now != k)
        guest_fail("mask register k3 is %lx", (unsigned long)k_now);
}

static void *vectors(void *unused)
{
    if (avx512)
        spin_avx512();
    else
        spin_avx();
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    return unused;
}

/* x87 with three values on its stack and an odd control word, and mxcsr rounding down. */
static void *floats(void *unused)
{
    static const double values[3] = {1.5, -2.25, 1e300};
    uint32_t mxcsr = 0x3f80, normal = 0x1f80;
    uint16_t control = 0x077f;
    __asm__ volatile("ldmxcsr %[m]\n fldcw %[c]\n fldl (%[v])\n fldl 8(%[v])\n fldl 16(%[v])\n"
                     "lock incl (%[s])\n 1: pause\n cmpl $0, (%[stop])\n je 1b\n"
                     "fstpl 16(%[o])\n fstpl 8(%[o])\n fstpl (%[o])\n"
                     "stmxcsr %[mo]\n fnstcw %[co]\n ldmxcsr %[n]\n fninit\n"
                     : [mo] "=m"(mxcsr_out), [co] "=m"(control_out)
                     : [m] "m"(mxcsr), [c] "m"(control), [n] "m"(normal), [v] "r"(values),
                       [s] "r"(&started), [stop] "r"(&stop), [o] "r"(x87_out)
                     : "memory", "cc");
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    return unused;
}

static void *integers(void *unused)
{
    register uint64_t r8 __asm__("r8") = 0x8888, r9 __asm__("r9") = 0x9999;
    register uint64_t r10 __asm__("r10") = 0xaaaa, r11 __asm__("r11") = 0xbbbb;
    register uint64_t r12 __asm__("r12") = ~0xccccULL, r13 __asm__("r13") = ~0xddddULL;
    register uint64_t r14 __asm__("r14") = 0xeeee, r15 __asm__("r15") = 1ULL << 63;
    __asm__ volatile("std\n lock incl (%[s])\n 1: pause\n cmpl $0, (%[stop])\n je 1b\n"
                     "pushfq\n popq %%rax\n cld\n andq $0x400, %%rax\n xorq $0x400, %%rax\n"
                     "orq %%rax, %%r8\n"
                     : "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14),
                       "+r"(r15)
                     : [s] "D"(&started), [stop] "S"(&stop)
                     : "rax", "memory", "cc");
    uint64_t now[8] = {r8, r9, r10, r11, r12, r13, r14, r15};
    memcpy(general, now, sizeof(now));
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    return unused;
}

static void start(void)
{
    static void *(*const spinners[])(void *) = {vectors, floats, integers};
    memset(out, 0, sizeof(out));
    stop = started = finished = 0;
    for (size_t i = 0; i < COUNT_OF(spinners); i++) {
        pthread_t t;
        guest_need(pthread_create(&t, NULL, spinners[i], NULL) == 0, "a thread");
        pthread_detach(t);
    }
    guest_need(guest_grows(&started, COUNT_OF(spinners) - 1), "the spinning threads");
}

static void verify(void)
{
    static const uint64_t should[8] = {0x8888,     0x9999,     0xaaaa, 0xbbbb,
                                       ~0xccccULL, ~0xddddULL, 0xeeee, 1ULL << 63};
    guest_check(finished == 0, "a spin ended by itself");
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    guest_check(guest_grows(&finished, 2), "the spinning threads are lost");
    for (int i = 0; i < (avx512 ? 32 : 16); i++)
        guest_check(memcmp(in[i], out[i], avx512 ? 64 : 32) == 0, "vector register %d changed", i);
    guest_check(x87_out[0] == 1.5 && x87_out[1] == -2.25 && x87_out[2] == 1e300,
                "the x87 registers changed");
    guest_check((mxcsr_out & ~0x3fu) == 0x3f80 && control_out == 0x077f,
                "the control words are %x and %x", mxcsr_out, control_out);
    for (int i = 0; i < 8; i++)
        guest_check(general[i] == should[i], "register r%d is %lx", i + 8,
                    (unsigned long)general[i]);
    start();
}

int main(void)
{
    unsigned a, b = 0, c, d;
    guest_need(__builtin_cpu_supports("avx"), "AVX");
    __get_cpuid_count(7, 0, &a, &b, &c, &d);
    avx512 = __builtin_cpu_supports("avx512f") && b & bit_AVX512BW;
    for (size_t i = 0; i < VECTORS; i++)
        guest_fill(in[i], 64, i);
    start();
    guest_serve(verify);
}
