#include "base/template.h"
#include "test.h"

static const char data_text[] =
    "{\"Id\": \"abc\", \"Names\": [\"x\", \"y\"], \"Pid\": 42, \"Running\": true, \"None\": null,"
    "\"Empty\": [], \"State\": {\"Status\": \"running\"}, \"Labels\": {\"k.b\": \"2\", \"a\": "
    "\"1\"},"
    "\"Mounts\": [{\"Source\": \"/a\"}, {\"Source\": \"/b\"}]}";

static int evaluate(const char *text, struct buf *out, struct error *err)
{
    _cleanup_json_ struct json *data = NULL;
    _cleanup_template_ struct template *t = NULL;
    CHECK_INT(js_parse(data_text, strlen(data_text), "test", &data, NULL), 0);
    struct template_options o = {"ps", "containers.psReporter"};
    int r = template_parse(&o, text, &t, err);
    return r < 0 ? r : template_run(t, data, out, err);
}

static void evaluates(void)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"{{.Id}} {{.ID}}", "abc abc"},
        {"{{.State.Status}}", "running"},
        {"{{json .Names}}", "[\"x\",\"y\"]"},
        {"{{.Names}} {{.Pid}} {{.Running}} {{.None}}", "[x y] 42 true []"},
        {"{{.Labels}}", "map[a:1 k.b:2]"},
        {"{{index .Labels \"k.b\"}}", "2"},
        {"{{.Labels.missing}}", "<no value>"},
        {"{{len .Names}} {{len .Id}}", "2 3"},
        {"{{.Id | upper}} {{upper .Id | printf \"%-5s|\"}}", "ABC ABC  |"},
        {"{{join .Names \", \"}}", "x, y"},
        {"{{range .Names}}<{{.}}>{{end}}", "<x><y>"},
        {"{{range $i, $n := .Names}}{{$i}}{{$n}}{{$.Id}} {{end}}", "0xabc 1yabc "},
        {"{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=1;k.b=2;"},
        {"{{range .Empty}}x{{else}}none{{end}}", "none"},
        {"{{if .Running}}up{{else}}down{{end}}", "up"},
        {"{{if .Empty}}a{{else if eq .Pid 42}}b{{else}}c{{end}}", "b"},
        {"{{if and .Running (not .Empty)}}yes{{end}}", "yes"},
        {"{{with .State}}{{.Status}}{{end}}", "running"},
        {"{{(index .Mounts 1).Source}}", "/b"},
        {"{{$x := .Pid}}{{$x}}", "42"},
        {"a {{- .Id -}} b", "aabcb"},
        {"{{/* nothing */}}{{println .Pid \"x\"}}", "42 x\n"},
        {"{{print 1 2}} {{printf \"%05d %q %v%%\" 42 \"a\" .Pid}}", "1 2 00042 \"a\" 42%"},
        {"{{`raw\\n`}} {{title \"one two\"}} {{truncate .Id 2}} {{pad .Id 1 2}}|",
         "raw\\n One Two ab  abc  |"},
        {"{{index (split \"a/b\" \"/\") 1}}", "b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_buf_ struct buf b = {0};
        struct error err = {0};
        if (evaluate(cases[i][0], &b, &err) < 0)
            test_failed(__FILE__, __LINE__, "%s: %s", cases[i][0], err.text);
        CHECK_STRING(b.data, cases[i][1]);
    }
}

static void says_what_is_wrong(void)
{
    static const char *const cases[][2] = {
        {"{{range .Names}}{{end}}{{.Bogus}}",
         "template: ps:1:25: executing \"ps\" at <.Bogus>: can't evaluate field Bogus in type "
         "containers.psReporter"},
        {"\n {{.State.Bogus}}",
         "template: ps:2:9: executing \"ps\" at <.State.Bogus>: can't evaluate field Bogus in type "
         "State"},
        {"{{bogus}}", "template: ps:1: function \"bogus\" not defined"},
        {"{{.Id", "template: ps:1: unclosed action"},
        {"{{if .Id}}", "template: ps:1: unexpected EOF"},
        {"{{end}}", "template: ps:1: unexpected {{end}}"},
        {"{{}}", "template: ps:1: missing value for command"},
        {"{{.Id )}}", "template: ps:1: unexpected \")\" in command"},
        {"{{1x}}", "template: ps:1: bad number syntax: \"1x\""},
        {"{{1e999}}", "template: ps:1: bad number syntax: \"1e999\""},
        {"{{\"x}}", "template: ps:1: unclosed action"},
        {"{{index .Names 9}}", "template: ps:1:2: executing \"ps\" at <index>: error calling "
                               "index: index out of range: 9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_buf_ struct buf b = {0};
        struct error err = {0};
        CHECK(evaluate(cases[i][0], &b, &err) < 0);
        CHECK_STRING(err.text, cases[i][1]);
    }
}

static void formats_are_normalized(void)
{
    _cleanup_free_ char *table = template_normalize("table {{.A}} {{.B}}\\t{{.C}}");
    CHECK_STRING(table, "{{.A}}\t{{.B}}\t{{.C}}\n");
    _cleanup_free_ char *plain = template_normalize("{{.A}} {{.B}}\\n");
    CHECK_STRING(plain, "{{.A}} {{.B}}\n");
    CHECK(template_is_table("table {{.A}}") && !template_is_table("{{.A}}"));
}

int main(void)
{
    static const struct test tests[] = {TEST(evaluates), TEST(says_what_is_wrong),
                                        TEST(formats_are_normalized)};
    return run_tests(tests, ARRAY_LEN(tests));
}
