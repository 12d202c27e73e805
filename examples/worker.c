/* A worker that counts to N (argument 1), writing a line for each step to a file (argument 2), and
 * sleeps on disk between the steps (argument 3: seconds, 0: a checkpoint only). Whatever kills it,
 * it goes on in the middle of its loop:
 *
 *     cc -o worker worker.c -lfirnclient
 *     firn execution run --wait config.json     {"image": "...", "command": ["/worker", "10", ...]}
 */
#include <client/firnclient.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int die(const struct firn_client *client, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, client ? firn_client_error(client) : "no execution");
    return 1;
}

/* The step's effect on the world, which no restore takes back. */
static int take_effect(const char *path, int step, int times)
{
    char line[64];
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    int n = snprintf(line, sizeof(line), "%d %d\n", step, times);
    int r = fd >= 0 && write(fd, line, (size_t)n) == n ? 0 : -1;
    close(fd);
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: worker STEPS FILE SECONDS\n");
        return 2;
    }
    int steps = atoi(argv[1]), restores = 0;
    double seconds = atof(argv[3]);
    struct firn_client *client = firn_client_new();
    if (!client)
        return die(NULL, "worker");
    for (int step = 0; step < steps; step++) {
        if (take_effect(argv[2], step, restores) < 0)
            return die(client, argv[2]);
        printf("step %d\n", step);
        fflush(stdout);
        enum firn_side side = seconds > 0 ? firn_suspend(client, seconds) : firn_checkpoint(client);
        if (side == FIRN_FAILED)
            return die(client, "checkpoint");
        restores += side == FIRN_AFTER;
    }
    char output[64];
    snprintf(output, sizeof(output), "{\"steps\": %d, \"restores\": %d}", steps, restores);
    if (firn_exit(client, 0, output) < 0)
        return die(client, "exit");
    firn_client_free(client);
    return 0;
}
