/* Sleeps once, as long as its argument says (seconds), and says how the sleep ended. */
#include "guest.h"

int main(int argc, char **argv)
{
    struct timespec t = {argc > 1 ? atoi(argv[1]) : 5, 0}, rest;
    guest_say("asleep\n");
    int r = nanosleep(&t, &rest);
    guest_say("awake %d %s\n", r, r < 0 ? strerror(errno) : "");
    for (;;)
        pause();
}
