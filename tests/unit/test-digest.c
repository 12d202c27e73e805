#include "test.h"

#include <fcntl.h>

#include "base/digest.h"
#include "base/strv.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void known(void)
{
    char hex[DIGEST_HEX_SIZE];
    digest_of("", 0, hex);
    CHECK_STRING(hex, EMPTY);
    digest_of("abc", 3, hex);
    CHECK_STRING(hex, ABC);
}

static void in_pieces(void)
{
    char hex[DIGEST_HEX_SIZE];
    struct digest d, copy;
    digest_init(&d);
    digest_add(&d, "a", 1);
    copy = d;
    digest_add(&d, "bc", 2);
    digest_finish(&d, hex);
    CHECK_STRING(hex, ABC);
    digest_finish(&d, hex);
    CHECK_STRING(hex, EMPTY);
    digest_add(&copy, "bc", 2);
    digest_finish(&copy, hex);
    CHECK_STRING(hex, ABC);
}

static void of_a_file(void)
{
    struct error err = {0};
    char hex[DIGEST_HEX_SIZE];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_INT(digest_of_fd(fd, "null", hex, &err), 0);
    CHECK_STRING(hex, EMPTY);
    close(fd);
    CHECK(digest_of_fd(-1, "nothing", hex, &err) < 0);
    CHECK_CONTAINS(err.text, "nothing");
}

static void parts(void)
{
    CHECK_STRING(digest_hex_part("sha256:" EMPTY), EMPTY);
    CHECK(!digest_hex_part(EMPTY));
    CHECK(!digest_hex_part("sha256:" EMPTY "0"));
    CHECK(!digest_hex_part("sha256:E3"));
    CHECK(!digest_hex_part(NULL));
    CHECK(is_sha256_hex(ABC));
    CHECK(!is_sha256_hex("abc"));
}

static void ids(void)
{
    char a[ID_HEX_SIZE], b[ID_HEX_SIZE];
    for (int i = 0; i < 1000; i++) {
        random_id(a);
        CHECK(is_sha256_hex(a));
        CHECK(strspn(a, "0123456789") < 12);
    }
    random_id(b);
    CHECK(!string_equal(a, b));
}

int main(void)
{
    static const struct test tests[] = {
        TEST(known), TEST(in_pieces), TEST(of_a_file), TEST(parts), TEST(ids),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
