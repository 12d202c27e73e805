#include "container-fixture.h"

#include "container/runtime.h"

static void messages_become_podmans(void)
{
    static const struct {
        const char *message, *text;
        enum error_kind kind;
    } cases[] = {
        {"executable file `x` not found in $PATH: No such file or directory",
         "crun: executable file `x` not found in $PATH: No such file or directory: OCI runtime "
         "attempted to invoke a command that was not found",
         ERROR_COMMAND_NOT_FOUND},
        {"open executable: Permission denied",
         "crun: open executable: Permission denied: OCI permission denied", ERROR_CANNOT_INVOKE},
        {"time=\"x\" level=error msg=\"it broke\"\n", "OCI runtime error: crun: it broke",
         ERROR_CANNOT_INVOKE},
        {NULL, "OCI runtime error: crun: the runtime failed without a message",
         ERROR_CANNOT_INVOKE},
    };
    _cleanup_json_ struct json *config = js_object();
    js_set(config, "runtime", js_string("/usr/bin/crun"));
    struct container c = {.config = config};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        CHECK(runtime_error(&c, NULL, cases[i].message, &err) < 0);
        CHECK_STRING(err.text, cases[i].text);
        CHECK_INT(err.kind, cases[i].kind);
    }
}

static void the_log_comes_first(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_free_ char *path = path_join(dir, "oci-log");
    static const char log[] = "{\"level\":\"warning\",\"msg\":\"w\"}\nnoise\n"
                              "{\"level\":\"error\",\"msg\":\"the reason\"}\n";
    CHECK_INT(file_write_atomic(path, log, strlen(log), 0600, false, NULL), 0);
    struct container c = {0};
    struct error err = {0};
    CHECK(runtime_error(&c, path, "something else", &err) < 0);
    CHECK_STRING(err.text, "OCI runtime error: crun: the reason");
}

int main(void)
{
    static const struct test tests[] = {TEST(messages_become_podmans), TEST(the_log_comes_first)};
    return run_tests(tests, ARRAY_LEN(tests));
}
