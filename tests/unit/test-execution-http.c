#include "test.h"

#include <sys/stat.h>
#include <sys/types.h>

#include "execution/http.h"

static int parse(const char *text, struct http_request *ret)
{
    _cleanup_buf_ struct buf in = {0};
    struct error err = {0};
    buf_add_string(&in, text);
    int r = http_parse(&in, ret, &err);
    CHECK(r >= 0 || *err.text);
    return r;
}

static void a_request(void)
{
    _cleanup_http_request_ struct http_request r = {0};
    CHECK_INT(
        parse("POST /lock HTTP/1.1\r\nA: b\r\ncontent-LENGTH: 14\r\n\r\n{\"holder\":\"h\"}", &r),
        1);
    CHECK_STRING(r.method, "POST");
    CHECK_STRING(r.path, "/lock");
    CHECK_STRING(js_get_string(r.body, "holder"), "h");
}

static void without_a_body(void)
{
    _cleanup_http_request_ struct http_request r = {0};
    CHECK_INT(parse("GET /execution HTTP/1.1\r\n\r\n", &r), 1);
    CHECK_INT(js_count(r.body), 0);
}

static void half_of_one(void)
{
    static const char whole[] = "POST /lock HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        struct http_request r = {0};
        _cleanup_free_ char *part = strndup(whole, n);
        CHECK_INT(parse(part, &r), 0);
    }
}

static void nonsense(void)
{
    static const char *const texts[] = {
        "nonsense\r\n\r\n",
        "GET /x\r\n\r\n",
        "POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST /x HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
        "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]",
        "POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{x",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct http_request r = {0};
        CHECK(parse(texts[i], &r) < 0);
    }
}

static void endless_headers(void)
{
    _cleanup_buf_ struct buf in = {0};
    struct http_request r = {0};
    struct error err = {0};
    while (in.size <= HTTP_HEADERS_MAX)
        buf_add_string(&in, "A: b\r\n");
    CHECK(http_parse(&in, &r, &err) < 0);
}

static void a_socket_with_a_long_path(void)
{
    _cleanup_free_ char *directory = strdup("/tmp/firn-http-XXXXXX");
    CHECK(mkdtemp(directory));
    _cleanup_free_ char *deep = NULL;
    CHECK(asprintf(&deep, "%s/%0120d", directory, 0) > 0);
    CHECK_INT(mkdir(deep, 0700), 0);
    _cleanup_close_ int none = http_connect(deep, "s");
    CHECK(none < 0);
    _cleanup_close_ int listener = http_listen(deep, "s", 0600);
    CHECK(listener >= 0);
    _cleanup_close_ int client = http_connect(deep, "s");
    CHECK(client >= 0);
    _cleanup_free_ char *path = NULL;
    CHECK(asprintf(&path, "%s/s", deep) > 0);
    CHECK(unlink(path) == 0 && rmdir(deep) == 0 && rmdir(directory) == 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_request), TEST(without_a_body),  TEST(half_of_one),
        TEST(nonsense),  TEST(endless_headers), TEST(a_socket_with_a_long_path),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
