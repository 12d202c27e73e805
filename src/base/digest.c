#include "base/digest.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/strv.h"

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct digest), "struct digest is too small");

static struct sha256_ctx *ctx(struct digest *d)
{
    return (struct sha256_ctx *)d->state;
}

void digest_init(struct digest *d)
{
    sha256_init(ctx(d));
}

void digest_add(struct digest *d, const void *data, size_t size)
{
    sha256_update(ctx(d), size, data);
}

void digest_finish(struct digest *d, char hex[static DIGEST_HEX_SIZE])
{
    uint8_t raw[DIGEST_BYTES];
    sha256_digest(ctx(d), sizeof(raw), raw);
    hex_encode(raw, sizeof(raw), hex);
}

void digest_of(const void *data, size_t size, char hex[static DIGEST_HEX_SIZE])
{
    struct digest d;
    digest_init(&d);
    digest_add(&d, data, size);
    digest_finish(&d, hex);
}

int64_t digest_of_fd(int fd, const char *what, char hex[static DIGEST_HEX_SIZE], struct error *err)
{
    size_t room = 256 << 10;
    _cleanup_free_ char *chunk = xmalloc(room);
    struct digest d;
    digest_init(&d);
    int64_t total = 0;
    for (;;) {
        ssize_t n = read_full(fd, chunk, room);
        if (n < 0)
            return error_errno(err, (int)-n, "cannot read %s", what);
        digest_add(&d, chunk, (size_t)n);
        total += n;
        if ((size_t)n < room)
            break;
    }
    digest_finish(&d, hex);
    return total;
}

void hex_encode(const void *data, size_t size, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *byte = data;
    for (size_t i = 0; i < size; i++) {
        *hex++ = digits[byte[i] >> 4];
        *hex++ = digits[byte[i] & 15];
    }
    *hex = '\0';
}

bool is_sha256_hex(const char *s)
{
    return s && strspn(s, "0123456789abcdef") == 64 && s[64] == '\0';
}

const char *digest_hex_part(const char *digest)
{
    const char *hex = digest ? string_after(digest, "sha256:") : NULL;
    return is_sha256_hex(hex) ? hex : NULL;
}

void random_bytes(void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = getrandom((char *)data + done, size - done, 0);
        if (n > 0)
            done += (size_t)n;
    }
}

void random_id(char hex[static ID_HEX_SIZE])
{
    do {
        uint8_t raw[(ID_HEX_SIZE - 1) / 2];
        random_bytes(raw, sizeof(raw));
        hex_encode(raw, sizeof(raw), hex);
    } while (strspn(hex, "0123456789") >= 12);
}
