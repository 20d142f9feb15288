#include "state.h"

int PyMvn_State_Init(PyMvn_State *state)
{
#define MVN_INTERN(member, text)                                                                  \
    state->member = PyUnicode_InternFromString(text);                                             \
    if (state->member == NULL) {                                                                  \
        return -1;                                                                                \
    }
    MVN_INTERN(str_id, "id")
    MVN_INTERN(str_distance, "distance")
    MVN_INTERN(str_entity, "entity")
    MVN_INTERN(str_offset, "offset")
    MVN_INTERN(str_highlight, "highlight")
    MVN_INTERN(str_meta, "$meta")
#undef MVN_INTERN
    state->empty_tuple = PyTuple_New(0);
    return state->empty_tuple == NULL ? -1 : 0;
}
