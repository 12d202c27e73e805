#include "test.h"

#include "base/alloc.h"
#include "base/strv.h"
#include "container/port.h"

static struct json *parse(const char *spec)
{
    struct json *list = NULL;
    struct error err = {0};
    CHECK_INT(ports_parse((char *const[]){(char *)spec, NULL}, &list, &err), 0);
    return list;
}

static void check_text(const char *spec, const char *wanted)
{
    _cleanup_json_ struct json *list = parse(spec);
    _cleanup_free_ char *text = ports_text(list);
    CHECK_STRING(text, wanted);
}

static void mappings_read_and_show(void)
{
    check_text("8080:80", "0.0.0.0:8080->80/tcp");
    check_text("127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp");
    check_text("18100-18102:90-92/udp", "0.0.0.0:18100-18102->90-92/udp");
    check_text("[::1]:8080:80", "::1:8080->80/tcp");
}

static void a_free_port_is_chosen(void)
{
    _cleanup_json_ struct json *one = parse("80"), *three = parse("127.0.0.1::90-92");
    CHECK(js_get_int(js_at(one, 0), "host_port", 0) > 0);
    CHECK_INT(js_get_int(js_at(one, 0), "container_port", 0), 80);
    CHECK_INT(js_get_int(js_at(three, 0), "range", 0), 3);
    CHECK_STRING(js_get_string(js_at(three, 0), "host_ip"), "127.0.0.1");
}

static void nonsense_is_refused(void)
{
    static const char *const bad[] = {
        "",      "x",       "0",       "65536",    "80:",   "1:2:3",    "80-90:80",
        "90-80", "80/icmp", "a:80:80", "80:80:80", "-1:80", "8080:80-", "[::1]80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json *list = NULL;
        struct error err = {0};
        CHECK(ports_parse((char *const[]){(char *)bad[i], NULL}, &list, &err) < 0);
        CHECK(strstr(err.text, "invalid port mapping") != NULL);
        CHECK(list == NULL);
    }
}

static void exposed_ports_are_added_once(void)
{
    _cleanup_json_ struct json *list = parse("8080:80");
    struct error err = {0};
    char *exposed[] = {(char *)"80/tcp", (char *)"81/tcp", (char *)"81/tcp", NULL};
    CHECK_INT(ports_add_exposed(list, exposed, &err), 0);
    CHECK_INT(js_count(list), 2);
    CHECK_INT(js_get_int(js_at(list, 1), "container_port", 0), 81);
}

static void bindings_are_one_per_port(void)
{
    _cleanup_json_ struct json *list = parse("18100-18101:90-91");
    _cleanup_json_ struct json *bindings = ports_bindings(list);
    CHECK_INT(js_count(bindings), 2);
    CHECK_STRING(js_get_string(js_at(js_get(bindings, "91/tcp"), 0), "HostPort"), "18101");
}

static void a_reserved_port_is_taken(void)
{
    _cleanup_json_ struct json *list = parse("127.0.0.1::80");
    _cleanup_(port_sockets_close) struct port_sockets first = {0}, second = {0};
    struct error err = {0};
    CHECK_INT(ports_reserve(list, &first, &err), 0);
    CHECK_INT(first.count, 1);
    CHECK(ports_reserve(list, &second, &err) < 0);
    CHECK_INT(err.kind, ERROR_CANNOT_INVOKE);
    CHECK(strstr(err.text, "cannot listen on the TCP port: listen tcp4 127.0.0.1:") != NULL);
    CHECK(strstr(err.text, "bind: address already in use") != NULL);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(mappings_read_and_show),    TEST(a_free_port_is_chosen),
        TEST(nonsense_is_refused),       TEST(exposed_ports_are_added_once),
        TEST(bindings_are_one_per_port), TEST(a_reserved_port_is_taken),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
