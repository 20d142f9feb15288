/* UTF-8 of code points: the borders of each length, and surrogates. */
#include "../core/utf8.h"
#include "check.h"

static void latin1_takes_one_or_two_bytes(void)
{
    const uint8_t text[] = {'a', 0, 0x7f, 0x80, 0xff};
    uint8_t out[16];
    size_t size = 0;
    REQUIRE(mvn_utf8_size(text, 1, sizeof(text), &size) == MVN_OK);
    REQUIRE(size == 7);
    CHECK(mvn_utf8_encode(text, 1, sizeof(text), out) == out + size);
    CHECK_BYTES(out, size, "a\0\x7f\xc2\x80\xc3\xbf");
}

static void two_byte_points_take_up_to_three_bytes(void)
{
    const uint16_t text[] = {'a', 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff};
    uint8_t out[32];
    size_t size = 0;
    REQUIRE(mvn_utf8_size(text, 2, 6, &size) == MVN_OK);
    REQUIRE(size == 15);
    CHECK(mvn_utf8_encode(text, 2, 6, out) == out + size);
    CHECK_BYTES(out, size, "a\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
}

static void four_byte_points_take_up_to_four_bytes(void)
{
    const uint32_t text[] = {'a', 0xffff, 0x10000, 0x10ffff};
    uint8_t out[32];
    size_t size = 0;
    REQUIRE(mvn_utf8_size(text, 4, 4, &size) == MVN_OK);
    REQUIRE(size == 12);
    CHECK(mvn_utf8_encode(text, 4, 4, out) == out + size);
    CHECK_BYTES(out, size, "a\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void surrogates_are_found(void)
{
    const uint16_t two[] = {'a', 'b', 0xd800};
    const uint32_t four[] = {'a', 0xdfff};
    const uint32_t beyond[] = {0x110000};
    size_t size = 0;
    CHECK_EQUAL(mvn_utf8_size(two, 2, 3, &size), MVN_EFORMAT);
    CHECK_EQUAL(size, 2);
    CHECK_EQUAL(mvn_utf8_size(four, 4, 2, &size), MVN_EFORMAT);
    CHECK_EQUAL(size, 1);
    CHECK_EQUAL(mvn_utf8_size(beyond, 4, 1, &size), MVN_EFORMAT);
    CHECK_EQUAL(size, 0);
}

static void nothing_is_nothing(void)
{
    size_t size = 9;
    CHECK_EQUAL(mvn_utf8_size(NULL, 1, 0, &size), MVN_OK);
    CHECK_EQUAL(size, 0);
}

int main(void)
{
    RUN(latin1_takes_one_or_two_bytes);
    RUN(two_byte_points_take_up_to_three_bytes);
    RUN(four_byte_points_take_up_to_four_bytes);
    RUN(surrogates_are_found);
    RUN(nothing_is_nothing);
    return check_end();
}
