#include "test.h"

#include "base/json.h"
#include "container/capability.h"
#include "container/seccomp.h"
#include "container/spec.h"

static struct json *parse(const char *text)
{
    struct json *v = NULL;
    CHECK_INT(js_parse(text, strlen(text), "test", &v, NULL), 0);
    return v;
}

static void restore_spec_is_privileged_and_otherwise_the_same(void)
{
    _cleanup_json_ struct json *spec =
        parse("{\"process\":{\"args\":[\"sh\"],\"cwd\":\"/x\",\"noNewPrivileges\":true,"
              "\"apparmorProfile\":\"p\",\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7],"
              "\"umask\":18},\"capabilities\":{\"bounding\":[]}},"
              "\"linux\":{\"seccomp\":{},\"maskedPaths\":[\"/a\"]},\"hostname\":\"h\"}");
    _cleanup_json_ struct json *copy = spec_for_restore(spec);
    const struct json *process = js_get(copy, "process");
    CHECK_INT(js_int_value(js_path(process, "user", "uid", NULL)), 0);
    CHECK_INT(js_int_value(js_path(process, "user", "umask", NULL)), 18);
    CHECK(!js_path(process, "user", "additionalGids", NULL));
    CHECK(!js_get_bool(process, "noNewPrivileges", true));
    CHECK(!js_get(process, "apparmorProfile"));
    CHECK(!js_path(copy, "linux", "seccomp", NULL));
    CHECK_INT(js_count(js_path(copy, "linux", "maskedPaths", NULL)), 1);
    CHECK_STRING(js_get_string(process, "cwd"), "/x");
    static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted",
                                       "ambient"};
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        CHECK(capability_mask(js_path(process, "capabilities", sets[i], NULL)) ==
              capability_bounding());
    /* The original is as it was. */
    CHECK_INT(js_int_value(js_path(spec, "process", "user", "uid", NULL)), 5);
    CHECK(js_path(spec, "linux", "seccomp", NULL));
}

static void capabilities_are_merged(void)
{
    uint64_t mask = 0;
    char *add[] = {(char *)"net_admin,SYS_PTRACE", NULL}, *drop[] = {(char *)"CAP_CHOWN", NULL};
    char *all[] = {(char *)"all", NULL}, *bogus[] = {(char *)"bogus", NULL};
    struct error err = {0};
    CHECK_INT(capability_merge(1, add, drop, &mask, &err), 0);
    CHECK(mask == (UINT64_C(1) << 12 | UINT64_C(1) << 19));
    CHECK_INT(capability_merge(capability_defaults(), add, all, &mask, &err), 0);
    CHECK(mask == (UINT64_C(1) << 12 | UINT64_C(1) << 19));
    CHECK_INT(capability_merge(0, all, NULL, &mask, &err), 0);
    CHECK(mask == capability_bounding());
    CHECK(capability_merge(0, bogus, NULL, &mask, &err) < 0);
    CHECK_STRING(err.text, "unknown capability \"CAP_BOGUS\": invalid argument");
}

static const char profile[] =
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
    "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]},"
    "{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}],"
    "\"syscalls\":["
    "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[],\"includes\":{},\"excludes\":{"
    "}},"
    "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}"
    "},"
    "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,"
    "\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
    "{\"names\":[\"s390_x\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"s390x\"]}}]"
    "}";

static void seccomp_rules_depend_on_capabilities(void)
{
    _cleanup_json_ struct json *p = parse(profile);
    _cleanup_json_ struct json *plain = NULL, *admin = NULL;
    CHECK_INT(seccomp_make(p, 0, &plain, NULL), 0);
    CHECK_INT(seccomp_make(p, UINT64_C(1) << 21, &admin, NULL), 0);
    const struct json *rules = js_get(plain, "syscalls");
    CHECK_INT(js_count(rules), 2);
    CHECK_STRING(js_get_string(js_at(rules, 1), "action"), "SCMP_ACT_ERRNO");
    CHECK_INT(js_get_int(js_at(rules, 1), "errnoRet", 0), 1);
    rules = js_get(admin, "syscalls");
    CHECK_INT(js_count(rules), 2);
    CHECK_STRING(js_get_string(js_at(rules, 1), "action"), "SCMP_ACT_ALLOW");
    CHECK_INT(js_get_int(plain, "defaultErrnoRet", 0), 38);
    CHECK(js_count(js_get(plain, "architectures")) == 2 || sizeof(void *) != 8);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(restore_spec_is_privileged_and_otherwise_the_same),
        TEST(capabilities_are_merged),
        TEST(seccomp_rules_depend_on_capabilities),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
