#include "format/frames.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ring.h"
#include "format/codec.h"

#define FRAME_LIMIT   (320u << 10) /* compressed */
#define CONTENT_LIMIT (512u << 10)
#define INPUT         (1u << 20)

struct frames {
    frames_read_fn read;
    void *context;
    char *input;
    size_t start, end; /* what of it is not used yet */
    bool ended;        /* nothing more to read */
    struct ring *ring;
    bool lent; /* the oldest piece is with the caller */

    struct codec *codec; /* of a stream that is not for the ring */
    bool serial, between;
    char *output;
};

static bool expand_piece(void *codec, const void *context, struct ring_piece *p)
{
    return codec_expand(codec, p->in, p->in_size, p->out, CONTENT_LIMIT, &p->out_size);
}

static const struct ring_work expanding = {codec_begin, codec_end, expand_piece};

int frames_open(frames_read_fn read, void *context, struct frames **ret, struct error *err)
{
    _cleanup_(frames_freep) struct frames *f = xcalloc(1, sizeof(*f));
    f->read = read;
    f->context = context;
    f->input = xmalloc(INPUT);
    f->between = true;
    int r = ring_open(FRAME_LIMIT, CONTENT_LIMIT, &expanding, f, &f->ring, err);
    if (r == 0)
        *ret = take_ptr(f);
    return r;
}

/* More input behind what is left. */
static int refill(struct frames *f)
{
    memmove(f->input, f->input + f->start, f->end - f->start);
    f->end -= f->start;
    f->start = 0;
    ssize_t n = f->read(f->context, f->input + f->end, INPUT - f->end);
    if (n < 0)
        return (int)n;
    f->ended = n == 0;
    f->end += (size_t)n;
    return 0;
}

/* Whether the input begins with a frame for the ring: 1 and its size; 0: with another one, or
 * nothing at all. */
static int next_frame(struct frames *f, size_t *size)
{
    for (;;) {
        uint64_t content;
        size_t have = f->end - f->start;
        int n = have ? codec_frame(f->input + f->start, have, size, &content) : 0;
        if (n < 0)
            return n;
        if (n > 0)
            return *size <= FRAME_LIMIT && content <= CONTENT_LIMIT;
        if (f->ended || have > FRAME_LIMIT)
            return 0;
        n = refill(f);
        if (n < 0)
            return n;
    }
}

static int feed(struct frames *f)
{
    struct ring_piece *p;
    while (!f->serial && (p = ring_empty(f->ring))) {
        size_t size;
        int n = next_frame(f, &size);
        if (n < 0)
            return n;
        f->serial = n == 0;
        if (f->serial)
            return 0;
        memcpy(p->in, f->input + f->start, size);
        p->in_size = size;
        f->start += size;
        ring_submit(f->ring);
    }
    return 0;
}

static int next_part(struct frames *f, const void **data, size_t *size)
{
    f->codec = f->codec ? f->codec : codec_new();
    f->output = f->output ? f->output : xmalloc(CONTENT_LIMIT);
    for (;;) {
        int r = f->start == f->end && !f->ended ? refill(f) : 0;
        if (r < 0)
            return r;
        const void *in = f->input + f->start;
        size_t left = f->end - f->start;
        if (!left && f->between)
            return 0;
        long n = codec_expand_part(f->codec, &in, &left, f->output, CONTENT_LIMIT, &f->between);
        if (n < 0)
            return (int)n;
        bool stuck = n == 0 && left == f->end - f->start;
        f->start = f->end - left;
        if (stuck && f->ended)
            return f->between ? 0 : -ENODATA;
        *data = f->output;
        *size = (size_t)n;
        if (n > 0)
            return 1;
    }
}

int frames_next(struct frames *f, const void **data, size_t *size)
{
    if (f->lent)
        ring_release(f->ring);
    f->lent = false;
    int r = feed(f);
    if (r < 0)
        return r;
    struct ring_piece *p;
    while ((p = ring_oldest(f->ring, true))) {
        if (p->failed)
            return -EBADMSG;
        *data = p->out;
        *size = p->out_size;
        f->lent = p->out_size > 0;
        if (f->lent)
            return 1;
        ring_release(f->ring); /* a skippable frame */
        r = feed(f);
        if (r < 0)
            return r;
    }
    return next_part(f, data, size);
}

void frames_free(struct frames *f)
{
    if (f->ring)
        ring_free(f->ring);
    if (f->codec)
        codec_free(f->codec);
    free(f->input);
    free(f->output);
    free(f);
}
