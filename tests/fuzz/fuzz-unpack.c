/* A tar, unpacked with the flags in the first byte: nothing outside the directory changes. */
#include "format/unpack.h"

#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static void check_outside(const char *top, const char *secret)
{
    struct stat st;
    int count = 0;
    _cleanup_closedir_ DIR *d = opendir(top);
    while (d && readdir(d))
        count++;
    if (count != 4 || stat(secret, &st) < 0 || st.st_size != 6 || st.st_nlink != 1 ||
        (st.st_mode & 07777) != 0600)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    _cleanup_fuzz_directory_ char *top = fuzz_directory();
    _cleanup_free_ char *in = path_join(top, "in"), *secret = path_join(top, "secret");
    if (mkdir(in, 0700) < 0 || file_write_atomic(secret, "secret", 6, 0600, false, NULL) < 0)
        abort();
    _cleanup_close_ int dirfd = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = fuzz_file(data + 1, size - 1);
    const struct unpack_options o = {
        .flags = data[0] | UNPACK_NO_OWNER,
        .max_entries = 1000,
        .max_size = 16 << 20,
        .max_path = 300,
    };
    struct error err = {0};
    if (unpack_fd(fd, "input", dirfd, &o, NULL, &err) < 0 && !*err.text)
        abort();
    check_outside(top, secret);
    return 0;
}
