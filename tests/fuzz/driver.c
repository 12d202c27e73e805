/* Runs a fuzz target over files given as arguments (directories: all files in them), for compilers
 * without libFuzzer and to see that an input that once failed does not any more. */
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    _cleanup_buf_ struct buf b = {0};
    struct error err = {0};
    if (file_read(path, &b, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)b.data, b.size);
    return 0;
}

static int run_directory(const char *path)
{
    int failed = 0;
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        _cleanup_free_ char *file = path_join(path, e->d_name);
        if (e->d_name[0] != '.')
            failed |= run_file(file);
    }
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            failed |= run_directory(argv[i]);
        else
            failed |= run_file(argv[i]);
    }
    return failed;
}
