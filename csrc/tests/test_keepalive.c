/* keepalive.c: pings are sparing enough for gRPC's default server policy, and find dead servers. */
#include "../rpc/keepalive.h"
#include "check.h"

#define S INT64_C(1000000000)

static const mvn_keepalive_config config = {.silence = 10 * S, .timeout = 5 * S};

static void nothing_to_do_without_calls(void)
{
    mvn_keepalive k;
    int64_t next;
    mvn_keepalive_init(&k, config);
    CHECK_EQUAL(mvn_keepalive_look(&k, 0, false, &next), MVN_KEEPALIVE_IDLE);
    CHECK_EQUAL(next, MVN_NEVER);
    CHECK_EQUAL(mvn_keepalive_look(&k, 36000 * S, false, &next), MVN_KEEPALIVE_IDLE);
    CHECK_EQUAL(next, MVN_NEVER);
}

static void switched_off(void)
{
    mvn_keepalive k;
    int64_t next;
    mvn_keepalive_init(&k, (mvn_keepalive_config){0, 5 * S});
    CHECK_EQUAL(mvn_keepalive_look(&k, 100 * S, true, &next), MVN_KEEPALIVE_IDLE);
    CHECK_EQUAL(next, MVN_NEVER);
}

static void a_silent_server_is_pinged_and_given_up(void)
{
    mvn_keepalive k;
    int64_t next;
    mvn_keepalive_init(&k, config);
    CHECK_EQUAL(mvn_keepalive_look(&k, 100 * S, true, &next), MVN_KEEPALIVE_IDLE);
    CHECK_EQUAL(next, 110 * S);
    CHECK_EQUAL(mvn_keepalive_look(&k, 110 * S, true, &next), MVN_KEEPALIVE_PING);
    CHECK_EQUAL(next, 115 * S);
    CHECK_EQUAL(mvn_keepalive_look(&k, 114 * S, true, &next), MVN_KEEPALIVE_IDLE);
    CHECK_EQUAL(next, 115 * S);
    CHECK_EQUAL(mvn_keepalive_look(&k, 115 * S, true, &next), MVN_KEEPALIVE_DEAD);
}

static void idle_time_before_a_call_does_not_count(void)
{
    mvn_keepalive k;
    int64_t next;
    mvn_keepalive_init(&k, config);
    (void)mvn_keepalive_look(&k, 0, true, &next);
    mvn_keepalive_heard(&k, true);
    (void)mvn_keepalive_look(&k, 1 * S, false, &next);
    CHECK_EQUAL(mvn_keepalive_look(&k, 3600 * S, true, &next), MVN_KEEPALIVE_IDLE);
    CHECK_EQUAL(next, 3610 * S);
}

/* A server that acknowledges pings but takes an hour for a call: gRPC's servers count a strike for
 * each ping that comes sooner than 5 minutes after the last, and hang up at the third. */
static void a_long_call_draws_at_most_two_strikes(void)
{
    mvn_keepalive k;
    int64_t next, last = -1000 * S;
    int strikes = 0, pings = 0;
    mvn_keepalive_init(&k, config);
    for (int64_t now = 0; now < 3600 * S; now += S) {
        mvn_keepalive_verdict verdict = mvn_keepalive_look(&k, now, true, &next);
        CHECK(verdict != MVN_KEEPALIVE_DEAD);
        CHECK(next > now);
        if (verdict == MVN_KEEPALIVE_PING) {
            pings++;
            strikes += now - last < 300 * S;
            last = now;
            mvn_keepalive_heard(&k, false); /* the acknowledgement */
        }
    }
    CHECK(strikes <= 2);
    CHECK(pings >= 10);
}

static void data_starts_the_count_over(void)
{
    mvn_keepalive k;
    int64_t next, now = 0;
    mvn_keepalive_init(&k, config);
    for (int i = 0; i < 5; i++) {
        (void)mvn_keepalive_look(&k, now, true, &next);
        CHECK_EQUAL(next - now, 10 * S);
        CHECK_EQUAL(mvn_keepalive_look(&k, next, true, &next), MVN_KEEPALIVE_PING);
        mvn_keepalive_heard(&k, true);
        now = next;
    }
}

int main(void)
{
    RUN(nothing_to_do_without_calls);
    RUN(switched_off);
    RUN(a_silent_server_is_pinged_and_given_up);
    RUN(idle_time_before_a_call_does_not_count);
    RUN(a_long_call_draws_at_most_two_strikes);
    RUN(data_starts_the_count_over);
    return check_end();
}
