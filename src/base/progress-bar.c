#include "base/progress-bar.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static const int64_t first_after = 500000000, then_every = 100000000;

char *progress_bar_text(const struct progress_bar *bar, uint64_t done, int64_t elapsed_ns)
{
    double seconds = (double)elapsed_ns / 1e9;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    _cleanup_free_ char *bytes = size_human(done), *speed = size_human((uint64_t)rate);
    _cleanup_buf_ struct buf b = {0};
    buf_printf(&b, "%s %s", bar->what, bytes);
    if (bar->total) {
        _cleanup_free_ char *all = size_human(bar->total);
        buf_printf(&b, " / %s (%u%%)", all,
                   (unsigned)(done < bar->total ? done * 100.0 / (double)bar->total : 100));
    }
    buf_printf(&b, "  %s/s", speed);
    if (bar->total > done && rate > 0) {
        unsigned left = (unsigned)((double)(bar->total - done) / rate + 0.5);
        buf_printf(&b, "  %u:%02u left", left / 60, left % 60);
    }
    return buf_take(&b);
}

static bool is_due(struct progress_bar *bar, int64_t now)
{
    if (!bar->started_ns)
        bar->started_ns = now;
    return now - bar->started_ns >= first_after && now - bar->shown_ns >= then_every;
}

static void show(struct progress_bar *bar, const char *text, int64_t now)
{
    dprintf(2, "\r%s\x1b[K", text);
    bar->shown_ns = now;
    bar->shown = true;
}

void progress_bar_at(struct progress_bar *bar, uint64_t done)
{
    int64_t now = monotonic_ns();
    if (!is_due(bar, now) || !isatty(2))
        return;
    _cleanup_free_ char *text = progress_bar_text(bar, done, now - bar->started_ns);
    show(bar, text, now);
}

bool progress_bar_say(struct progress_bar *bar, const char *text)
{
    int64_t now = monotonic_ns();
    bool terminal = isatty(2);
    if (terminal && is_due(bar, now))
        show(bar, text, now);
    return terminal;
}

void progress_bar_end(struct progress_bar *bar)
{
    if (bar->shown)
        dprintf(2, "\r\x1b[K");
    bar->shown = false;
}
