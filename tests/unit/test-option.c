#include "base/option.h"
#include "base/strv.h"
#include "test.h"

struct inner {
    char **labels;
};

struct values {
    bool all;
    bool interactive;
    bool tty;
    int64_t time;
    double cpus;
    uint64_t memory;
    int64_t interval;
    char *name;
    char **caps;
    struct inner inner;
};

static const struct option inner_table[] = {
    {"label", 'l', OPTION_STRINGS, offsetof(struct inner, labels), .help = "Set metadata"},
    {0},
};

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct values, all), .help = "All of them"},
    {"interactive", 'i', OPTION_BOOL, offsetof(struct values, interactive), .help = "Keep STDIN"},
    {"tty", 't', OPTION_BOOL, offsetof(struct values, tty), .help = "A terminal"},
    {"time", 0, OPTION_INT, offsetof(struct values, time), .help = "Seconds", .initial = "10"},
    {"cpus", 0, OPTION_FLOAT, offsetof(struct values, cpus), .help = "CPUs"},
    {"memory", 'm', OPTION_SIZE, offsetof(struct values, memory), .help = "Memory"},
    {"interval", 0, OPTION_DURATION, offsetof(struct values, interval), .help = "Pause"},
    {"name", 'n', OPTION_STRING, offsetof(struct values, name), .help = "Name", .alias = "title"},
    {"cap-add", 0, OPTION_LIST, offsetof(struct values, caps), .help = "Capabilities"},
    {"pod", 0, OPTION_UNSUPPORTED, 0, "string", "Pod"},
    {.type = OPTION_TABLE, .offset = offsetof(struct values, inner), .table = inner_table},
    {0},
};

static int parse(const char *const *argv, unsigned flags, struct values *v, struct option_result *r,
                 struct error *err)
{
    *v = (struct values){0};
    *r = (struct option_result){0};
    return option_parse(table, v, (char *const *)argv, flags, r, err);
}

static void fills_the_struct(void)
{
    struct values v;
    _cleanup_option_result_ struct option_result r = {0};
    const char *argv[] = {"-ait",  "--time=5",  "--cpus", "1.5", "-m64m",    "--interval",
                          "250ms", "--cap-add", "A,B",    "c1",  "-l=a=b,c", "-l",
                          "x",     "--title",   "nice",   "--",  "--all",    NULL};
    struct error err = {0};
    CHECK_INT(parse(argv, 0, &v, &r, &err), 0);
    CHECK(v.all && v.interactive && v.tty);
    CHECK_INT(v.time, 5);
    CHECK(v.cpus == 1.5);
    CHECK_INT(v.memory, 64 << 20);
    CHECK_INT(v.interval, 250000000);
    CHECK_INT(strv_length(v.caps), 2);
    CHECK_STRING(v.caps[1], "B");
    CHECK_STRING(v.inner.labels[0], "a=b,c");
    CHECK_STRING(v.inner.labels[1], "x");
    CHECK_STRING(v.name, "nice");
    CHECK_STRING(r.args[0], "c1");
    CHECK_STRING(r.args[1], "--all");
    CHECK(option_given(&r, "name") && !option_given(&r, "pod"));
    option_free(table, &v);
    CHECK(!v.name && !v.caps && !v.inner.labels);
}

static void stops_at_the_first_positional(void)
{
    struct values v;
    _cleanup_option_result_ struct option_result r = {0};
    const char *argv[] = {"-a", "image", "-t", "--bogus", NULL};
    CHECK_INT(parse(argv, OPTION_STOP_AT_POSITIONAL, &v, &r, NULL), 0);
    CHECK(v.all && !v.tty);
    CHECK_INT(v.time, 10);
    CHECK_INT(strv_length(r.args), 3);
}

static void says_what_is_wrong(void)
{
    static const struct {
        const char *argv[3];
        const char *text;
    } cases[] = {
        {{"--bogus"}, "unknown flag: --bogus"},
        {{"--bogus=1"}, "unknown flag: --bogus"},
        {{"-d"}, "unknown shorthand flag: 'd' in -d"},
        {{"-adt"}, "unknown shorthand flag: 'd' in -dt"},
        {{"--name"}, "flag needs an argument: --name"},
        {{"-an"}, "flag needs an argument: 'n' in -n"},
        {{"--=x"}, "bad flag syntax: --=x"},
        {{"--cpus", "x"},
         "invalid argument \"x\" for \"--cpus\" flag: strconv.ParseFloat: parsing \"x\": "
         "invalid syntax"},
        {{"--all=maybe"},
         "invalid argument \"maybe\" for \"-a, --all\" flag: strconv.ParseBool: parsing "
         "\"maybe\": invalid syntax"},
        {{"--time", "99999999999999999999"},
         "invalid argument \"99999999999999999999\" for \"--time\" flag: strconv.ParseInt: "
         "parsing \"99999999999999999999\": value out of range"},
        {{"--pod", "p"}, "--pod is not supported by firn yet"},
        {{"--pod=p"}, "--pod is not supported by firn yet"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct values v;
        _cleanup_option_result_ struct option_result r = {0};
        struct error err = {0};
        CHECK(parse(cases[i].argv, 0, &v, &r, &err) < 0);
        CHECK_STRING(err.text, cases[i].text);
        CHECK_INT(err.kind, ERROR_USAGE);
        option_free(table, &v);
    }
}

static void asks_for_help(void)
{
    struct values v;
    _cleanup_option_result_ struct option_result r = {0};
    const char *argv[] = {"x", "-h", "--bogus", NULL};
    CHECK_INT(parse(argv, 0, &v, &r, NULL), 0);
    CHECK(r.help);
}

static void reads_json(void)
{
    static const char text[] =
        "{\"All\": true, \"time\": \"7\", \"capAdd\": [\"A\", \"B\"], \"label\": {\"k\": \"v\"},"
        "\"cpus\": 2, \"pod\": \"\", \"name\": null}";
    _cleanup_json_ struct json *o = NULL;
    struct values v = {0};
    struct error err = {0};
    CHECK_INT(js_parse(text, strlen(text), "test", &o, &err), 0);
    CHECK_INT(option_from_json(table, &v, o, &err), 0);
    CHECK(v.all);
    CHECK_INT(v.time, 7);
    CHECK_STRING(v.caps[1], "B");
    CHECK_STRING(v.inner.labels[0], "k=v");
    CHECK(v.cpus == 2);
    CHECK(!v.name);
    js_set(o, "pod", js_string("p"));
    option_free(table, &v);
    CHECK(option_from_json(table, &v, o, &err) < 0);
    CHECK_STRING(err.text, "--pod is not supported by firn yet");
    option_free(table, &v);
    js_remove(o, "pod");
    js_set(o, "nonsense", js_int(1));
    CHECK(option_from_json(table, &v, o, &err) < 0);
    CHECK_STRING(err.text, "unknown parameter \"nonsense\"");
    option_free(table, &v);
}

static void shows_its_usage(void)
{
    _cleanup_buf_ struct buf b = {0};
    option_usage(inner_table, &b);
    CHECK_STRING(b.data, "  -l, --label stringArray   Set metadata\n");
    buf_clear(&b);
    option_usage(table, &b);
    CHECK_CONTAINS(b.data, "      --time int            Seconds (default 10)\n");
    CHECK(!strstr(b.data, "pod"));
}

int main(void)
{
    static const struct test tests[] = {
        TEST(fills_the_struct),   TEST(stops_at_the_first_positional),
        TEST(says_what_is_wrong), TEST(asks_for_help),
        TEST(reads_json),         TEST(shows_its_usage),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
