/* Files that lost their name while they are in use: plain, sparse, replaced, in a directory that is
 * gone too, with another name, never named (O_TMPFILE), mapped; and a working directory. */
#include <sys/stat.h>

#include "guest.h"

#define SPARSE (1ll << 32)

static int plain, again, copy, sparse, replaced, inside, linked, unnamed, directory;
static char *shared, *private;
static unsigned rounds;

static bool holds(int fd, off_t at, uint64_t seed)
{
    char page[PAGE];
    return pread(fd, page, PAGE, at) == PAGE && guest_filled(page, PAGE, seed);
}

static ino_t inode(int fd, nlink_t *links)
{
    struct stat st = {0};
    fstat(fd, &st);
    *links = st.st_nlink;
    return st.st_ino;
}

static bool link_is(const char *link, const char *should)
{
    char text[256] = "";
    return readlink(link, text, sizeof(text) - 1) > 0 && strcmp(text, should) == 0;
}

static bool called(int fd, const char *should)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return link_is(link, should);
}

static void verify_plain(void)
{
    nlink_t links;
    struct stat st;
    guest_check(holds(plain, 0, 1), "the plain file");
    guest_check(lseek(copy, 0, SEEK_CUR) == 100 + rounds && lseek(again, 0, SEEK_CUR) == 7,
                "the offsets");
    guest_check(lseek(plain, 1, SEEK_CUR) == 101 + rounds, "dup is no dup any more");
    guest_check(inode(plain, &links) == inode(again, &links) && links == 0,
                "two descriptors are not one file, or it has a name");
    guest_check(fstat(plain, &st) == 0 && (st.st_mode & 07777) == 0640 && st.st_uid == 12 &&
                    st.st_gid == 34 && st.st_size == 3 * PAGE,
                "mode %o, owner %u:%u, size %ld", st.st_mode, st.st_uid, st.st_gid,
                (long)st.st_size);
    guest_check(called(plain, "/tmp/plain (deleted)"), "the name that it had");
    guest_check(access("/tmp/plain", F_OK) < 0, "the deleted file is there again");
    guest_check((fcntl(again, F_GETFL) & O_ACCMODE) == O_RDONLY, "the flags");
}

static void verify_others(void)
{
    struct stat st;
    nlink_t links;
    char text[32] = "";
    guest_check(fstat(sparse, &st) == 0 && st.st_size == SPARSE && st.st_blocks < 1000 &&
                    holds(sparse, 1 << 30, 3) && holds(sparse, SPARSE - PAGE, 4),
                "the sparse file: %ld blocks", (long)st.st_blocks);
    guest_check(holds(replaced, 0, 5), "the replaced file");
    int now = open("/tmp/replaced", O_RDONLY);
    guest_check(now >= 0 && read(now, text, 3) == 3 && strcmp(text, "new") == 0,
                "the file that took its place");
    close(now);
    guest_check(holds(inside, 0, 6), "the file in a deleted directory");
    guest_check(access("/tmp/gone", F_OK) < 0, "the deleted directory is there again");
    guest_check(fstat(directory, &st) == 0 && S_ISDIR(st.st_mode), "the directory");
    guest_check(link_is("/proc/self/cwd", "/tmp/gone (deleted)"), "the working directory");
    now = open("/tmp/other", O_RDONLY);
    guest_check(inode(now, &links) == inode(linked, &links) && links == 1,
                "the other name leads elsewhere");
    close(now);
}

static void verify(void)
{
    verify_plain();
    verify_others();
    char name[64], path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", unnamed);
    snprintf(name, sizeof(name), "/tmp/named-%u", rounds);
    guest_check(holds(unnamed, 0, 8), "the unnamed file");
    guest_check(linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0,
                "the unnamed file cannot get a name: %s", strerror(errno));
    close(unnamed);
    unlink(name);
    unnamed = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    char page[PAGE];
    guest_fill(page, PAGE, 8);
    guest_check(write(unnamed, page, PAGE) == PAGE, "a new unnamed file");

    guest_check(atoi(shared) == (int)rounds && atoi(private) == 1000 + (int)rounds,
                "the mappings: %s, %s", shared, private);
    rounds++;
    snprintf(shared, 32, "%u", rounds);
    snprintf(private, 32, "%u", 1000 + rounds);
    char text[32] = "";
    guest_check(pread(plain, text, 16, 2 * PAGE) == 16 && atoi(text) == (int)rounds,
                "a write to the mapping does not reach the file");
}

static int make(const char *path, uint64_t seed)
{
    char page[PAGE];
    guest_fill(page, PAGE, seed);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
    guest_need(fd >= 0 && write(fd, page, PAGE) == PAGE, path);
    return fd;
}

int main(void)
{
    char page[PAGE];
    plain = make("/tmp/plain", 1);
    guest_need(fchown(plain, 12, 34) == 0 && fchmod(plain, 0640) == 0, "the owner");
    guest_need(ftruncate(plain, 3 * PAGE) == 0 && pwrite(plain, "0", 1, 2 * PAGE) == 1, "content");
    again = open("/tmp/plain", O_RDONLY);
    copy = dup(plain);
    lseek(again, 7, SEEK_SET);
    lseek(plain, 100, SEEK_SET);
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 2 * PAGE);
    private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, plain, PAGE);
    guest_need(shared != MAP_FAILED && private != MAP_FAILED, "mappings");
    strcpy(private, "1000");
    sparse = make("/tmp/sparse", 2);
    guest_need(ftruncate(sparse, SPARSE) == 0, "a sparse file");
    guest_fill(page, PAGE, 3);
    guest_need(pwrite(sparse, page, PAGE, 1 << 30) == PAGE, "a sparse file");
    guest_fill(page, PAGE, 4);
    guest_need(pwrite(sparse, page, PAGE, SPARSE - PAGE) == PAGE, "a sparse file");
    replaced = make("/tmp/replaced", 5);
    int other = open("/tmp/replacement", O_RDWR | O_CREAT, 0600);
    guest_need(write(other, "new", 3) == 3, "the replacement");
    close(other);
    rename("/tmp/replacement", "/tmp/replaced");
    mkdir("/tmp/gone", 0700);
    mkdir("/tmp/gone/deep", 0700);
    inside = make("/tmp/gone/deep/file", 6);
    directory = open("/tmp/gone/deep", O_RDONLY | O_DIRECTORY);
    linked = make("/tmp/one", 7);
    guest_need(link("/tmp/one", "/tmp/other") == 0 && chdir("/tmp/gone") == 0, "links");
    unnamed = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    guest_fill(page, PAGE, 8);
    guest_need(unnamed >= 0 && write(unnamed, page, PAGE) == PAGE, "an unnamed file");
    unlink("/tmp/plain"), unlink("/tmp/sparse"), unlink("/tmp/one");
    unlink("/tmp/gone/deep/file"), rmdir("/tmp/gone/deep"), rmdir("/tmp/gone");
    guest_serve(verify);
}
