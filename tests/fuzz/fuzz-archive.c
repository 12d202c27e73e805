/* A checkpoint archive: whatever is in it, nothing appears but plain files where they belong. */
#include "format/archive.h"

#include <sys/stat.h>

#include "fuzz.h"

static int read_all(int fd, int dirfd, const struct archive_policy *policy, struct error *err)
{
    _cleanup_(archive_reader_freep) struct archive_reader *r = NULL;
    uint32_t number;
    uint64_t total;
    const void *data;
    size_t size;
    int n = archive_reader_open_fd(fd, "input", policy, &r, err);
    if (n == 0)
        n = archive_reader_extract(r, dirfd, err);
    while (n == 0 && archive_reader_has_pages(r) &&
           (n = archive_reader_pages(r, &number, &total, err)) > 0)
        do
            n = archive_reader_data(r, &data, &size, err);
        while (n > 0);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_directory_ char *top = fuzz_directory();
    _cleanup_free_ char *in = path_join(top, "in");
    if (mkdir(in, 0700) < 0)
        abort();
    _cleanup_close_ int dirfd = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = fuzz_file(data, size);
    const struct archive_policy policy = {.max_entries = 1000, .max_size = 16 << 20};
    struct error err = {0};
    if (read_all(fd, dirfd, &policy, &err) < 0 && !*err.text)
        abort();
    struct stat st;
    if (stat(top, &st) < 0 || st.st_nlink != 3) /* ".", its name above, "in/.." */
        abort();
    return 0;
}
