/* The two 16-bit floating-point formats of Milvus: IEEE 754 binary16 ("half") and bfloat16, to and
 * from binary32. Narrowing rounds to nearest, ties to even; what is too large becomes infinity,
 * NaN stays NaN (quiet, sign kept). Widening is exact. Pure functions, all inline. */
#ifndef MVN_CORE_HALF_H
#define MVN_CORE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t mvn_f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float mvn_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint16_t mvn_f16_from_f32(float value)
{
    uint32_t bits = mvn_f32_bits(value);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude >= 0x47800000u) { /* 65536 and above, infinity, NaN */
        if (magnitude > 0x7f800000u) {
            uint32_t payload = (magnitude >> 13) & 0x1ffu;
            return (uint16_t)(sign | 0x7e00u | payload);
        }
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) { /* below 2^-14: denormal or zero */
        if (magnitude < 0x33000000u) { /* below 2^-25, half of the least denormal */
            return sign;
        }
        uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
        uint32_t shift = 126u - (magnitude >> 23); /* 14 to 24 */
        uint32_t half = 1u << (shift - 1u);
        uint32_t rest = mantissa & ((1u << shift) - 1u);
        uint32_t result = mantissa >> shift;
        result += (uint32_t)(rest > half || (rest == half && (result & 1u) != 0));
        return (uint16_t)(sign | result);
    }
    /* Rounding may carry into the exponent, up to infinity: that is the right answer. */
    uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

static inline float mvn_f32_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;

    if (exponent == 0x1f) {
        return mvn_f32_from_bits(sign | 0x7f800000u | mantissa << 13);
    }
    if (exponent == 0) { /* mantissa * 2^-24, which binary32 holds exactly */
        float value = (float)mantissa * 5.9604644775390625e-8f;
        return mvn_f32_from_bits(sign | mvn_f32_bits(value));
    }
    return mvn_f32_from_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
}

static inline uint16_t mvn_bf16_from_f32(float value)
{
    uint32_t bits = mvn_f32_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float mvn_f32_from_bf16(uint16_t bits)
{
    return mvn_f32_from_bits((uint32_t)bits << 16);
}

#endif
