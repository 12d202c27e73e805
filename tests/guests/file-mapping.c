/* Files in memory: private mappings with changed pages, shared ones, parts of files. */
#include <sys/stat.h>

#include "guest.h"

#define PAGES 40

static const char path[] = "/tmp/mapped";
static char *private, *shared, *part;
static unsigned rounds;

static void verify(void)
{
    for (int i = 0; i < PAGES; i++) {
        uint64_t seed = i % 5 == 2 ? 100 + rounds + (uint64_t)i : (uint64_t)i;
        guest_check(guest_filled(private + i * PAGE, PAGE, seed), "page %d of the private mapping",
                    i);
    }
    guest_check(guest_filled(part, PAGE, 10), "the mapping of a part is wrong");
    guest_check(strncmp(shared, "round ", 6) == 0 && (unsigned)atoi(shared + 6) == rounds,
                "the shared mapping is wrong");
    rounds++;
    for (int i = 2; i < PAGES; i += 5)
        guest_fill(private + i * PAGE, PAGE, 100 + rounds + (uint64_t)i);
    snprintf(shared, 64, "round %u", rounds);
    char text[64] = "";
    int fd = open("/tmp/shared", O_RDONLY);
    guest_check(read(fd, text, sizeof(text) - 1) > 0 && (unsigned)atoi(text + 6) == rounds,
                "a write to the shared mapping does not reach the file");
    close(fd);
    fd = open(path, O_RDONLY);
    char page[PAGE];
    guest_check(pread(fd, page, PAGE, 2 * PAGE) == PAGE && guest_filled(page, PAGE, 2),
                "the private mapping reached the file");
    close(fd);
}

static void make_file(void)
{
    char page[PAGE];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    for (int i = 0; i < PAGES; i++) {
        guest_fill(page, PAGE, (uint64_t)i);
        guest_need(write(fd, page, PAGE) == PAGE, "the file");
    }
    private = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    part = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 10 * PAGE);
    guest_need(private != MAP_FAILED && part != MAP_FAILED, "the mappings");
    close(fd);
}

int main(void)
{
    make_file();
    for (int i = 2; i < PAGES; i += 5)
        guest_fill(private + i * PAGE, PAGE, 100 + (uint64_t)i);
    int fd = open("/tmp/shared", O_RDWR | O_CREAT | O_TRUNC, 0644);
    guest_need(ftruncate(fd, 2 * PAGE) == 0, "the shared file");
    shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    guest_need(shared != MAP_FAILED, "the shared mapping");
    close(fd);
    snprintf(shared, 64, "round %u", rounds);
    guest_serve(verify);
}
