#include "store/platform.h"

#include <stddef.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/strv.h"

static const struct {
    const char *machine, *arch;
} names[] = {
    {"x86_64", "amd64"},    {"aarch64", "arm64"},   {"i686", "386"},    {"armv7l", "arm"},
    {"riscv64", "riscv64"}, {"ppc64le", "ppc64le"}, {"s390x", "s390x"}, {"loongarch64", "loong64"},
};

const char *platform_arch(void)
{
    struct utsname u;
    for (size_t i = 0; uname(&u) == 0 && i < ARRAY_LEN(names); i++)
        if (string_equal(u.machine, names[i].machine))
            return names[i].arch;
    return "unknown";
}
