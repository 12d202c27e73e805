/* Files in memory: sizes, seals, several descriptors and processes, mappings. */
#include <linux/memfd.h>
#include <sys/stat.h>

#include "guest.h"

#define SIZE (64 * PAGE + 100)

static int plain, second, sealed, future;
static char *shared, *private, *written;
static struct guest_child child;
static unsigned rounds;

static void verify_child(void)
{
    rounds++;
    char text[16] = "";
    guest_check(pread(plain, text, 15, 8 * PAGE) > 0 && (unsigned)atoi(text) == rounds,
                "the child reads '%s', not %u", text, rounds);
    snprintf(text, sizeof(text), "%u", 1000 + rounds);
    guest_check(pwrite(plain, text, 16, 9 * PAGE) == 16, "the child cannot write");
}

static void verify_sealed(void)
{
    struct stat st;
    guest_check(fcntl(sealed, F_GET_SEALS) ==
                    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL),
                "the seals are %#x", fcntl(sealed, F_GET_SEALS));
    guest_check(fstat(sealed, &st) == 0 && st.st_size == 5 && (st.st_mode & 0777) == 0440,
                "the sealed file's size or mode");
    guest_check(write(sealed, "x", 1) < 0, "the sealed file can be written");
    guest_check(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL, "seals that were not set");
    guest_check(fcntl(future, F_GET_SEALS) == F_SEAL_FUTURE_WRITE, "the seal for later writers");
    written[0] = (char)rounds;
    char c = 1;
    guest_check(pread(future, &c, 1, 0) == 1 && c == (char)rounds, "the mapping made before");
    guest_check(pwrite(future, "x", 1, 0) < 0, "a later write");
}

static void verify(void)
{
    struct stat st;
    char link[64] = "";
    guest_check(fstat(plain, &st) == 0 && st.st_size == SIZE, "the size is %ld", (long)st.st_size);
    guest_check(guest_filled(private, PAGE, 50) && guest_filled(shared, 4 * PAGE, 1), "content");
    guest_check(guest_filled(private + PAGE, PAGE, 1) == false, "private pages");
    guest_check(lseek(second, 0, SEEK_CUR) == 77, "the offset of a second description");
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
    guest_check(readlink(path, link, sizeof(link) - 1) > 0 &&
                    strcmp(link, "/memfd:a name (deleted)") == 0,
                "the name is '%s'", link);
    rounds++;
    snprintf(shared + 8 * PAGE, 16, "%u", rounds);
    guest_ask(&child);
    guest_check((unsigned)atoi(shared + 9 * PAGE) == 1000 + rounds, "what the child wrote");
    verify_sealed();
}

int main(void)
{
    plain = memfd_create("a name", 0);
    guest_need(plain >= 0 && ftruncate(plain, SIZE) == 0, "a memfd");
    shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
    private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, plain, 0);
    guest_need(shared != MAP_FAILED && private != MAP_FAILED, "mappings");
    guest_fill(shared, 4 * PAGE, 1);
    guest_fill(private, PAGE, 50);
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
    second = open(path, O_RDONLY);
    lseek(second, 77, SEEK_SET);
    sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
    guest_need(write(sealed, "hello", 5) == 5 && fchmod(sealed, 0440) == 0, "content");
    guest_need(
        fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0,
        "seals");
    future = memfd_create("future", MFD_ALLOW_SEALING);
    guest_need(ftruncate(future, PAGE) == 0, "a size");
    written = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
    guest_need(written != MAP_FAILED && fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0,
               "a seal for later writers");
    child = guest_fork(verify_child);
    guest_serve(verify);
}
