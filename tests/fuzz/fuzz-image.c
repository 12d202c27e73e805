/* A checkpoint image: the first byte says which kind, the rest is the file. */
#include "format/image.h"
#include "fuzz.h"

#define MESSAGES_MOST 1000

static void read_all(int dirfd, enum image_kind kind, bool with_raw)
{
    struct error err;
    _cleanup_(image_reader_freep) struct image_reader *r = NULL;
    if (image_open(dirfd, kind, 1, &r, &err) < 0)
        return;
    char raw[64];
    for (int i = 0; i < MESSAGES_MOST; i++) {
        _cleanup_message_ void *message = NULL;
        if (image_next(r, &message, &err) <= 0)
            return;
        if (with_raw && image_raw(r, raw, (size_t)i * 7 % sizeof(raw), &err) < 0)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    _cleanup_fuzz_directory_ char *top = fuzz_directory();
    enum image_kind kind = data[0] % IMAGE_KIND_COUNT;
    char name[IMAGE_NAME_MAX];
    _cleanup_free_ char *path = path_join(top, image_name(kind, 1, name));
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    _cleanup_close_ int dirfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || dirfd < 0 || write_full(fd, data + 1, size - 1) < 0)
        abort();
    read_all(dirfd, kind, false);
    read_all(dirfd, kind, true);
    void *one = NULL;
    if (image_get(dirfd, kind, 1, &one, NULL) == 0)
        message_free(one);
    return 0;
}
