/* When to send a PING to a silent server, and when to give it up. Pure policy: the caller tells the
 * time (nanoseconds on any monotonic clock of its own) and does the sending.
 *
 * Servers count pings that come sooner than their own interval (gRPC's default: five minutes) and
 * answer the third such "strike" with GOAWAY too_many_pings; sending headers or data clears the
 * count. So: ping only while calls wait, three times at growing distances, then at the server's
 * default interval, and start over when headers or data have come. Not thread-safe. */
#ifndef MVN_RPC_KEEPALIVE_H
#define MVN_RPC_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#define MVN_NEVER INT64_MAX

typedef struct {
    int64_t silence; /* silence before the first ping, ns; 0 or less: no pings */
    int64_t timeout; /* how long any byte may take to come after a ping, ns */
} mvn_keepalive_config;

typedef struct {
    mvn_keepalive_config config;
    int64_t heard;    /* when the last bytes were seen */
    int64_t pinged;   /* when the last ping was sent; MVN_NEVER: none since the calls began */
    unsigned pings;   /* sent since headers or data came */
    bool waiting;     /* a ping is unanswered */
    bool active;      /* calls were open at the last look */
    bool bytes_came;  /* since the last look */
    bool data_came;   /* headers or data, since the last look */
} mvn_keepalive;

typedef enum {
    MVN_KEEPALIVE_IDLE, /* nothing to do before `*next` */
    MVN_KEEPALIVE_PING, /* send one now; look again at `*next` */
    MVN_KEEPALIVE_DEAD  /* the server did not answer in time */
} mvn_keepalive_verdict;

void mvn_keepalive_init(mvn_keepalive *keepalive, mvn_keepalive_config config);

/* Bytes have come; `data`: among them headers or data of a stream. Needs no time: the next look
 * dates them, which is late by one look at most, never early. */
static inline void mvn_keepalive_heard(mvn_keepalive *keepalive, bool data)
{
    keepalive->bytes_came = true;
    keepalive->data_came |= data;
}

/* What to do at `now`, and when to look again (MVN_NEVER: not before a call begins). */
mvn_keepalive_verdict mvn_keepalive_look(mvn_keepalive *keepalive, int64_t now, bool calls_open,
                                         int64_t *next);

#endif
