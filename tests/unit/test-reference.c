#include "test.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/reference.h"
#include "store/registries-conf.h"

#define SHA "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const char config[] = "# comment\n"
                             "unqualified-search-registries = [\"one.example\",\n"
                             "   'two.example:5000', # why\n"
                             "]\n"
                             "short-name-mode=\"permissive\"\n"
                             "[[registry]]\n"
                             "location = \"bad.example/team\"\n"
                             "insecure = true\n"
                             "[[registry.mirror]]\n"
                             "location = \"mirror.example\"\n"
                             "[[registry]]\n"
                             "location = \"good.example\"\n"
                             "[aliases]\n"
                             "\"busybox\" = \"docker.io/library/busybox\"\n"
                             "\"team/app\" = \"quay.io/team/app\"\n";

static char *with_config(const char *text)
{
    char *dir = test_directory();
    _cleanup_free_ char *path = path_join(dir, "registries.conf");
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0600, false, NULL), 0);
    setenv("CONTAINERS_REGISTRIES_CONF", path, 1);
    setenv("CONTAINERS_REGISTRIES_CONF_DIR", "/nonexistent", 1);
    return dir;
}

static void normalized(void)
{
    static const struct {
        const char *text, *full;
    } cases[] = {
        {"looper", "localhost/looper:latest"},
        {"team/app:1.2", "localhost/team/app:1.2"},
        {"docker.io/busybox", "docker.io/library/busybox:latest"},
        {"index.docker.io/busybox", "docker.io/library/busybox:latest"},
        {"localhost/x", "localhost/x:latest"},
        {"localhost:5000/x:y", "localhost:5000/x:y"},
        {"host.example/a_b/c__d/e--f.g", "host.example/a_b/c__d/e--f.g:latest"},
        {"quay.io/a@" SHA, "quay.io/a@" SHA},
        {"quay.io/a:tag@" SHA, "quay.io/a@" SHA},
        {"[::1]:5000/x", "[::1]:5000/x:latest"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *full = NULL;
        struct error err = {0};
        CHECK_INT(reference_normalize(cases[i].text, &full, &err), 0);
        CHECK_STRING(full, cases[i].full);
    }
}

static void refused(void)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"BusyBox", "repository name must be lowercase"},
        {"quay.io/Team/app", "repository name must be lowercase"},
        {"", "invalid reference format"},
        {"a b", "invalid reference format"},
        {"a:", "invalid reference format"},
        {"a:b:c", "invalid reference format"},
        {"a//b", "invalid reference format"},
        {"/a", "invalid reference format"},
        {"a_-b", "invalid reference format"},
        {"a@sha256:12", "invalid reference format"},
        {"host.:x/y", "invalid reference format"},
        {"-host.example/y", "invalid reference format"},
        {"a:-tag", "invalid reference format"},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "64-byte hexadecimal"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reference r;
        struct error err = {0};
        CHECK(reference_parse(cases[i].text, &r, &err) < 0);
        CHECK_CONTAINS(err.text, cases[i].why);
        CHECK_INT(err.kind, ERROR_USAGE);
    }
    char deep[600] = "a";
    for (int i = 0; i < 260; i++)
        strcat(deep, "/b");
    struct reference r;
    struct error err = {0};
    CHECK(reference_parse(deep, &r, &err) < 0);
    CHECK_CONTAINS(err.text, "255 characters");
}

static void configuration(void)
{
    _cleanup_test_directory_ char *dir = with_config(config);
    _cleanup_registries_conf_ struct registries_conf c = {0};
    struct error err = {0};
    CHECK_INT(registries_conf_load(&c, &err), 0);
    CHECK_INT(strv_length(c.search), 2);
    CHECK_STRING(c.search[1], "two.example:5000");
    CHECK_INT(c.alias_count, 2);
}

static void bad_configuration(void)
{
    static const char *const texts[] = {"a = \"open\n", "a = [1,", "[table\n",
                                        "= 1\n",        "a\n",     "a = 1 2\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_test_directory_ char *dir = with_config(texts[i]);
        struct registries_conf c = {0};
        struct error err = {0};
        CHECK(registries_conf_load(&c, &err) < 0);
        CHECK_CONTAINS(err.text, "registries.conf: line");
    }
}

static char *joined(char **list)
{
    char *text = strv_join(list, " ");
    strv_free(list);
    return text;
}

static void candidates(void)
{
    _cleanup_test_directory_ char *dir = with_config(config);
    char **list = NULL, *note = NULL;
    CHECK_INT(reference_local_candidates("busybox", &list, NULL), 0);
    _cleanup_free_ char *local = joined(list);
    CHECK_STRING(local, "docker.io/library/busybox:latest localhost/busybox:latest "
                        "one.example/busybox:latest two.example:5000/busybox:latest");
    CHECK_INT(reference_pull_candidates("busybox:1", &list, &note, NULL), 0);
    _cleanup_free_ char *alias = joined(list);
    CHECK_STRING(alias, "docker.io/library/busybox:1");
    CHECK_CONTAINS(note, "Resolved \"busybox\" as an alias (");
    free(note);
    CHECK_INT(reference_pull_candidates("bb", &list, &note, NULL), 0);
    _cleanup_free_ char *search = joined(list);
    CHECK_STRING(search, "one.example/bb:latest two.example:5000/bb:latest");
    CHECK_CONTAINS(note, "Resolving \"bb\" using unqualified-search registries (");
    free(note);
    CHECK_INT(reference_pull_candidates("quay.io/bb", &list, &note, NULL), 0);
    _cleanup_free_ char *full = joined(list);
    CHECK_STRING(full, "quay.io/bb:latest");
    CHECK(!note);
}

static void leads_nowhere(void)
{
    _cleanup_test_directory_ char *dir = with_config("");
    char **list = NULL, *note = NULL;
    struct error err = {0};
    CHECK(reference_pull_candidates("bb", &list, &note, &err) < 0);
    CHECK_CONTAINS(err.text, "short-name \"bb\" did not resolve to an alias and no "
                             "unqualified-search registries are defined in \"");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(normalized),        TEST(refused),    TEST(configuration),
        TEST(bad_configuration), TEST(candidates), TEST(leads_nowhere),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
