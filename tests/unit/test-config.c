#include "container-fixture.h"

#include "base/strv.h"

static struct json *make(struct fixture *f)
{
    struct json *config = NULL;
    if (config_make(f->firn, &f->options, &f->image, &config, &f->err) < 0)
        test_failed(__FILE__, __LINE__, "config_make: %s", f->err.text);
    return config;
}

static void fails(struct fixture *f, const char *text)
{
    struct json *config = NULL;
    CHECK(config_make(f->firn, &f->options, &f->image, &config, &f->err) < 0);
    CHECK_STRING(f->err.text, text);
}

static void image_gives_the_defaults(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    _cleanup_json_ struct json *c = make(&f);
    _cleanup_strv_ char **args = js_get_strings(js_path(c, "spec", "process", NULL), "args");
    _cleanup_strv_ char **env = js_get_strings(js_path(c, "spec", "process", NULL), "env");
    _cleanup_free_ char *line = strv_join(args, " ");
    CHECK_STRING(line, "/init sh");
    CHECK_STRING(strv_env(env, "A"), "1");
    CHECK_STRING(strv_env(env, "PATH"), "/bin");
    CHECK_STRING(strv_env(env, "container"), "podman");
    CHECK_STRING(js_get_string(c, "user"), "bob");
    CHECK_STRING(js_text(js_path(c, "spec", "process", "cwd", NULL)), "/work");
    CHECK_INT(js_get_int(c, "stopSignal", 0), 10);
    CHECK_STRING(js_text(js_path(c, "labels", "l", NULL)), "image");
    CHECK_STRING(js_get_string(js_at(js_get(c, "namedVolumes"), 0), "dest"), "/data");
    CHECK_INT(js_int_value(js_path(c, "spec", "linux", "resources", "pids", "limit", NULL)), 2048);
    CHECK_STRING(js_get_string(c, "networkMode"), "host");
}

static void an_entrypoint_clears_the_command(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    f.options.entrypoint = "[\"/bin/echo\",\"a b\"]";
    _cleanup_json_ struct json *c = make(&f);
    CHECK_INT(js_count(js_path(c, "spec", "process", "args", NULL)), 2);
    f.options.entrypoint = "";
    fails(&f, "no command or entrypoint provided, and no CMD or ENTRYPOINT from image");
}

static void names_are_checked(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    f.options.name = "a/b";
    fails(&f, "running container create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: "
              "invalid argument");
}

static void resources_are_translated(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    f.options.memory = "64m";
    f.options.cpus = "1.5";
    f.options.pids_limit = "0";
    _cleanup_json_ struct json *c = make(&f);
    const struct json *r = js_path(c, "spec", "linux", "resources", NULL);
    CHECK_INT(js_int_value(js_path(r, "memory", "limit", NULL)), 64 << 20);
    CHECK_INT(js_int_value(js_path(r, "cpu", "quota", NULL)), 150000);
    CHECK(!js_get(r, "pids"));
    f.options.memory = "1k";
    fails(&f, "minimum memory limit allowed is 4MB");
}

static void volumes_are_parsed(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    strv_add(&f.options.volumes, "/tmp:/t/../b/:ro");
    strv_add(&f.options.volumes, "named:/data");
    _cleanup_json_ struct json *c = make(&f);
    const struct json *mounts = js_path(c, "spec", "mounts", NULL), *last = NULL;
    JSON_FOREACH(mounts, i)
    last = js_at(mounts, i);
    CHECK_STRING(js_get_string(last, "destination"), "/b");
    CHECK_STRING(js_text(js_at(js_get(last, "options"), 0)), "ro");
    CHECK_INT(js_count(js_get(c, "namedVolumes")), 1); /* the image's volume is covered */
    strv_add(&f.options.volumes, "x:/data");
    fails(&f, "/data: duplicate mount destination");
}

static void wrong_volumes_are_refused(void)
{
    static const char *const cases[][2] = {
        {"/tmp:/a:zzz", "invalid option type \"zzz\""},
        {"/nonexist:/a", "statfs /nonexist: no such file or directory"},
        {"a:b", "invalid container path \"b\", must be an absolute path"},
        {"a:/", "invalid container path \"/\": destination can't be '/'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_fixture_ struct fixture f = {0};
        fixture_begin(&f);
        strv_add(&f.options.volumes, cases[i][0]);
        fails(&f, cases[i][1]);
    }
}

static void networks_that_cannot_be_are_refused(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    strv_add(&f.options.networks, "container:other");
    fails(&f, "--network container:other: joining the network of something else is not supported "
              "by firn yet");
    strv_free(f.options.networks);
    f.options.networks = NULL;
    strv_add(&f.options.networks, "host");
    strv_add(&f.options.networks, "none");
    fails(&f, "cannot set multiple networks without bridge network mode, selected mode none: "
              "invalid argument");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(image_gives_the_defaults),
        TEST(an_entrypoint_clears_the_command),
        TEST(names_are_checked),
        TEST(resources_are_translated),
        TEST(volumes_are_parsed),
        TEST(wrong_volumes_are_refused),
        TEST(networks_that_cannot_be_are_refused),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
