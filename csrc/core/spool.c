#include "spool.h"

#include "mem.h"

/* Small spools stay small; from the first few on, pieces are of one size. */
#define FIRST_PIECE ((size_t)1 << 12)
#define LARGEST_PIECE ((size_t)1 << 18)

struct mvn_spool_piece {
    mvn_spool_piece *next;
    size_t used;
    size_t capacity;
    uint8_t data[];
};

void mvn_spool_reset(mvn_spool *spool)
{
    while (spool->first != NULL) {
        mvn_spool_piece *piece = spool->first;
        spool->first = piece->next;
        mvn_free(piece);
    }
    mvn_spool_init(spool);
}

static mvn_spool_piece *new_piece(const mvn_spool *spool, size_t least)
{
    size_t capacity = FIRST_PIECE;
    if (spool->last != NULL) {
        capacity = spool->last->capacity * 2;
        capacity = capacity > LARGEST_PIECE ? LARGEST_PIECE : capacity;
    }
    capacity = capacity < least ? least : capacity;
    mvn_spool_piece *piece = mvn_malloc_array(1, sizeof(*piece) + capacity);
    if (piece != NULL) {
        piece->next = NULL;
        piece->used = 0;
        piece->capacity = capacity;
    }
    return piece;
}

/* Room for `size` bytes in one piece at the end. */
static mvn_status make_room(mvn_spool *spool, size_t size)
{
    mvn_spool_piece *last = spool->last;
    if (size > MVN_MAX_MESSAGE - spool->size) {
        return MVN_ETOOBIG;
    }
    if (MVN_LIKELY(last != NULL && size <= last->capacity - last->used)) {
        return MVN_OK;
    }
    mvn_spool_piece *piece = new_piece(spool, size);
    if (piece == NULL) {
        return MVN_ENOMEM;
    }
    if (last == NULL) {
        spool->first = piece;
    } else {
        last->next = piece;
    }
    spool->last = piece;
    return MVN_OK;
}

mvn_status mvn_spool_append(mvn_spool *spool, const void *data, size_t size)
{
    mvn_status status = make_room(spool, size);
    if (status == MVN_OK && size != 0) {
        memcpy(spool->last->data + spool->last->used, data, size);
        spool->last->used += size;
        spool->size += size;
    }
    return status;
}

mvn_status mvn_spool_append_bytes_field(mvn_spool *spool, uint32_t field, const void *data,
                                        size_t size)
{
    if (size > MVN_MAX_MESSAGE) {
        return MVN_ETOOBIG;
    }
    mvn_status status = make_room(spool, mvn_bytes_field_size(field, size));
    if (status == MVN_OK) {
        mvn_spool_piece *last = spool->last;
        mvn_writer out = mvn_writer_over(last->data + last->used, last->capacity - last->used);
        mvn_write_bytes_field(&out, field, data, size);
        size_t used = (size_t)(out.pos - last->data);
        spool->size += used - last->used;
        last->used = used;
    }
    return status;
}

void mvn_spool_take(mvn_spool *spool, size_t most, mvn_writer *out)
{
    while (most != 0 && spool->size != 0) {
        mvn_spool_piece *piece = spool->first;
        size_t left = piece->used - spool->taken;
        size_t size = left < most ? left : most;
        mvn_write_raw(out, piece->data + spool->taken, size);
        spool->taken += size;
        spool->size -= size;
        most -= size;
        if (spool->taken == piece->used) {
            spool->first = piece->next;
            spool->taken = 0;
            mvn_free(piece);
        }
    }
    if (spool->size == 0) {
        mvn_spool_reset(spool);
    }
}
