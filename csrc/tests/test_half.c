/* binary16 and bfloat16: every half there is, and every place where rounding can go either way. */
#include <math.h>

#include "../core/half.h"
#include "check.h"

static void f16_widens_and_narrows_every_value(void)
{
    for (uint32_t h = 0; h <= 0xffff; h++) {
        float value = mvn_f32_from_f16((uint16_t)h);
        uint32_t exponent = (h >> 10) & 0x1f, mantissa = h & 0x3ff;
        if (exponent == 0x1f && mantissa != 0) {
            CHECK(isnan(value));
            CHECK_EQUAL(mvn_f16_from_f32(value), h | 0x200);
            continue;
        }
        double want = exponent == 0x1f ? INFINITY
                      : exponent == 0  ? ldexp(mantissa, -24)
                                       : ldexp(1024 + mantissa, (int)exponent - 25);
        REQUIRE((double)value == (h & 0x8000 ? -want : want));
        REQUIRE((signbit(value) != 0) == ((h & 0x8000) != 0));
        REQUIRE(mvn_f16_from_f32(value) == h);
    }
}

/* Between two neighbouring halves: below the middle, at it, and above it. */
static void f16_rounds_to_nearest_even(void)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float low = mvn_f32_from_f16((uint16_t)h), high = mvn_f32_from_f16((uint16_t)(h + 1));
        float middle = low + (high - low) / 2;
        uint32_t even = h & 1 ? h + 1 : h;
        REQUIRE(mvn_f16_from_f32(middle) == even);
        REQUIRE(mvn_f16_from_f32(-middle) == (even | 0x8000));
        REQUIRE(mvn_f16_from_f32(nextafterf(middle, 0.0f)) == h);
        REQUIRE(mvn_f16_from_f32(nextafterf(middle, INFINITY)) == h + 1);
    }
}

static void f16_overflows_to_infinity(void)
{
    CHECK_EQUAL(mvn_f16_from_f32(65504.0f), 0x7bff);
    CHECK_EQUAL(mvn_f16_from_f32(65519.99f), 0x7bff);
    CHECK_EQUAL(mvn_f16_from_f32(65520.0f), 0x7c00);
    CHECK_EQUAL(mvn_f16_from_f32(65536.0f), 0x7c00);
    CHECK_EQUAL(mvn_f16_from_f32(-1e30f), 0xfc00);
    CHECK_EQUAL(mvn_f16_from_f32(INFINITY), 0x7c00);
    CHECK_EQUAL(mvn_f16_from_f32(-INFINITY), 0xfc00);
    CHECK_EQUAL(mvn_f16_from_f32(1e-30f), 0);
    CHECK_EQUAL(mvn_f16_from_f32(-1e-45f), 0x8000);
}

static void f16_keeps_nan(void)
{
    CHECK_EQUAL(mvn_f16_from_f32(mvn_f32_from_bits(0x7fc00000)), 0x7e00);
    CHECK_EQUAL(mvn_f16_from_f32(mvn_f32_from_bits(0xff800001)), 0xfe00);
    CHECK(isnan(mvn_f32_from_f16(mvn_f16_from_f32(mvn_f32_from_bits(0x7f802000)))));
}

static void bf16_widens_and_narrows_every_value(void)
{
    for (uint32_t b = 0; b <= 0xffff; b++) {
        float value = mvn_f32_from_bf16((uint16_t)b);
        REQUIRE(mvn_f32_bits(value) == b << 16 || isnan(value));
        REQUIRE(mvn_bf16_from_f32(value) == (isnan(value) ? (b | 0x40) : b));
    }
}

static void bf16_rounds_to_nearest_even(void)
{
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x3f808000)), 0x3f80);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x3f818000)), 0x3f82);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x3f807fff)), 0x3f80);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x3f808001)), 0x3f81);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x7f7fffff)), 0x7f80);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0xff7fffff)), 0xff80);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x00008000)), 0);
    CHECK_EQUAL(mvn_bf16_from_f32(mvn_f32_from_bits(0x00018000)), 2);
    CHECK_EQUAL(mvn_bf16_from_f32(INFINITY), 0x7f80);
    /* A NaN whose payload is all in the low half must not become infinity. */
    CHECK(isnan(mvn_f32_from_bf16(mvn_bf16_from_f32(mvn_f32_from_bits(0x7f800001)))));
}

int main(void)
{
    RUN(f16_widens_and_narrows_every_value);
    RUN(f16_rounds_to_nearest_even);
    RUN(f16_overflows_to_infinity);
    RUN(f16_keeps_nan);
    RUN(bf16_widens_and_narrows_every_value);
    RUN(bf16_rounds_to_nearest_even);
    return check_end();
}
