/* libfirnclient: what a worker inside an execution can ask of firn. It needs nothing but the C
 * library, and talks HTTP over the unix socket that $FIRN_API names.
 *
 *     struct firn_client *client = firn_client_new();      // NULL with errno: no execution
 *     for (int step = 0; step < 100; step++) {
 *         work(step);
 *         enum firn_side side = firn_suspend(client, 3600);    // an hour without memory
 *         if (side < 0)
 *             die(firn_client_error(client));
 *     }
 *     firn_exit(client, 0, "{\"sum\": 42}");
 *     return 0;
 *
 * Every call waits for its answer. A process that is checkpointed while it waits finds its
 * connection hung up after the restore, connects anew and asks the same again, by the same token:
 * so does one whose supervisor was killed meanwhile. Calls of several threads or processes need a
 * client each. */
#ifndef FIRNCLIENT_H
#define FIRNCLIENT_H

#ifdef __cplusplus
extern "C" {
#endif

struct firn_client;

/* For the socket of $FIRN_API ("unix:///PATH"). NULL with errno ENOENT when there is none. */
struct firn_client *firn_client_new(void);
void firn_client_free(struct firn_client *client);
/* Why the last call failed; lives until the next one. */
const char *firn_client_error(const struct firn_client *client);

/* On which side of a checkpoint one is. */
enum firn_side {
    FIRN_FAILED = -1, /* see firn_client_error; the worker goes on as before */
    FIRN_BEFORE = 0,  /* the checkpoint is on disk, this process simply goes on */
    FIRN_AFTER = 1,   /* this process comes from that checkpoint */
};

/* "Checkpoint me". Once the answer is FIRN_BEFORE; after a restore from this checkpoint the same
 * call returns again, with FIRN_AFTER. */
enum firn_side firn_checkpoint(struct firn_client *client);
/* "Suspend me for so many seconds". Returns FIRN_AFTER, when they are over. */
enum firn_side firn_suspend(struct firn_client *client, double seconds);
/* Until `firn execution resume`. */
enum firn_side firn_suspend_until_resumed(struct firn_client *client);

/* Between the two no checkpoint is made: of a transaction with the outside that must not be
 * repeated from its middle. Taken twice it is still released by one unlock. 0, or -1. */
int firn_lock(struct firn_client *client);
int firn_unlock(struct firn_client *client);

/* "This is my output": once it returned 0 the execution is finished, whatever happens to the
 * worker. `output` is JSON, or NULL. The worker then has the grace period to end by itself. */
int firn_exit(struct firn_client *client, int code, const char *output);

#ifdef __cplusplus
}
#endif
#endif
