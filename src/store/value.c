#include "store/db.h"

struct db_value db_value_z(const char *z)
{
    return z ? DBS(str_z(z)) : DBNULL;
}

struct db_value db_value_nullable(str s)
{
    return s.p ? DBS(s) : DBNULL;
}
