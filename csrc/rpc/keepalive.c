#include "keepalive.h"

#define SECOND INT64_C(1000000000)
#define SERVER_INTERVAL (300 * SECOND + SECOND) /* gRPC's default, and a margin */
#define EARLY_PINGS 3                           /* the first is free, two strikes are allowed */

void mvn_keepalive_init(mvn_keepalive *keepalive, mvn_keepalive_config config)
{
    *keepalive = (mvn_keepalive){.config = config, .pinged = MVN_NEVER};
}

static int64_t later(int64_t time, int64_t delay)
{
    return time > MVN_NEVER - delay ? MVN_NEVER : time + delay;
}

/* The wait before ping number `pings`: doubling, then what the server surely accepts. */
static int64_t distance(const mvn_keepalive *keepalive)
{
    int64_t wait = keepalive->config.silence;
    if (keepalive->pings >= EARLY_PINGS) {
        return wait > SERVER_INTERVAL ? wait : SERVER_INTERVAL;
    }
    for (unsigned i = 0; i < keepalive->pings && wait < SERVER_INTERVAL; i++) {
        wait *= 2;
    }
    return wait;
}

mvn_keepalive_verdict mvn_keepalive_look(mvn_keepalive *keepalive, int64_t now, bool calls_open,
                                         int64_t *next)
{
    *next = MVN_NEVER;
    if (keepalive->config.silence <= 0) {
        return MVN_KEEPALIVE_IDLE;
    }
    if (keepalive->bytes_came || (calls_open && !keepalive->active)) {
        keepalive->heard = now;
        keepalive->waiting = false;
    }
    if (keepalive->data_came) {
        keepalive->pings = 0;
    }
    keepalive->bytes_came = keepalive->data_came = false;
    keepalive->active = calls_open;
    if (!calls_open) {
        keepalive->waiting = false;
        return MVN_KEEPALIVE_IDLE;
    }
    if (keepalive->waiting) {
        *next = later(keepalive->pinged, keepalive->config.timeout);
        return now >= *next ? MVN_KEEPALIVE_DEAD : MVN_KEEPALIVE_IDLE;
    }
    /* The first ping counts from the last sign of life, the others from the ping before, too. */
    int64_t due = later(keepalive->heard, keepalive->config.silence);
    if (keepalive->pings != 0) {
        int64_t spaced = later(keepalive->pinged, distance(keepalive));
        due = spaced > due ? spaced : due;
    }
    if (now < due) {
        *next = due;
        return MVN_KEEPALIVE_IDLE;
    }
    keepalive->pinged = now;
    keepalive->pings++;
    keepalive->waiting = true;
    *next = later(now, keepalive->config.timeout);
    return MVN_KEEPALIVE_PING;
}
