/* A checkpoint archive: whatever is in it, nothing appears but plain files where they belong. */
#include "format/archive.h"

#include <sys/stat.h>

#include "fuzz.h"

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
    if (archive_extract_fd(fd, "input", dirfd, &policy, &err) < 0 && !*err.text)
        abort();
    struct stat st;
    if (stat(top, &st) < 0 || st.st_nlink != 3) /* ".", its name above, "in/.." */
        abort();
    return 0;
}
