#include "container/capability.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/strv.h"

static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

int capability_parse(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i] + 4, name) == 0)
            return (int)i;
    return -EINVAL;
}

const char *capability_name(int number)
{
    return number >= 0 && (size_t)number < ARRAY_LEN(names) ? names[number] : NULL;
}

#define BIT(n) (UINT64_C(1) << (n))

uint64_t capability_defaults(void)
{
    return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |
           BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETFCAP) | BIT(CAP_SETGID) |
           BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SYS_CHROOT);
}

uint64_t capability_bounding(void)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (prctl(PR_CAPBSET_READ, i) == 1)
            mask |= BIT(i);
    return mask;
}

uint64_t capability_mask(const struct json *list)
{
    uint64_t mask = 0;
    JSON_FOREACH(list, i)
    {
        const char *name = js_text(js_at(list, i));
        int n = name ? capability_parse(name) : -1;
        if (n >= 0)
            mask |= BIT(n);
    }
    return mask;
}

struct json *capability_names(uint64_t mask)
{
    struct json *list = js_array();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (mask & BIT(i))
            js_push(list, js_string(names[i]));
    return list;
}

static int list_mask(char *const *options, uint64_t *ret, struct error *err)
{
    uint64_t mask = 0;
    STRV_FOREACH(option, options)
    {
        _cleanup_strv_ char **parts = strv_split(*option, ',');
        STRV_FOREACH(part, parts)
        {
            if (strcasecmp(*part, "all") == 0) {
                mask = capability_bounding();
                continue;
            }
            int n = capability_parse(*part);
            if (n < 0) {
                _cleanup_free_ char *upper =
                    xasprintf("%s%s", strncasecmp(*part, "CAP_", 4) == 0 ? "" : "CAP_", *part);
                for (char *p = upper; *p; p++)
                    *p = (char)toupper((unsigned char)*p);
                return error_kind_set(err, ERROR_USAGE,
                                      "unknown capability \"%s\": invalid argument", upper);
            }
            mask |= BIT(n);
        }
    }
    *ret = mask;
    return 0;
}

static bool names_all(char *const *options)
{
    STRV_FOREACH(option, options)
    {
        if (strcasecmp(*option, "all") == 0)
            return true;
    }
    return false;
}

int capability_merge(uint64_t base, char *const *add, char *const *drop, uint64_t *ret,
                     struct error *err)
{
    uint64_t added, dropped;
    int r = list_mask(add, &added, err);
    if (r == 0)
        r = list_mask(drop, &dropped, err);
    if (r < 0)
        return r;
    if (names_all(drop) && names_all(add))
        return error_kind_set(err, ERROR_USAGE,
                              "adding all caps and removing all caps not allowed");
    if (names_all(drop))
        *ret = added;
    else
        *ret = (base | added) & ~dropped;
    return 0;
}
