/* Nothing but a process that answers: the least that can be checkpointed. */
#include "guest.h"

static void verify(void)
{
    guest_check(getpid() > 0, "no pid");
}

int main(void)
{
    guest_serve(verify);
}
