#include "container/event.h"

#include "container/firn.h"
#include "store/event.h"

static void emit(const struct container *c, const char *status, const int *exit_code)
{
    const struct event e = {
        .type = "container",
        .status = status,
        .id = c->id,
        .name = c->name,
        .image = container_image_name(c),
        .attributes = container_labels(c),
        .exit_code = exit_code,
    };
    event_emit(c->firn->store, &e);
}

void container_event(const struct container *c, const char *status)
{
    emit(c, status, NULL);
}

void container_event_died(const struct container *c)
{
    emit(c, "died", &c->facts.exit_code);
}
