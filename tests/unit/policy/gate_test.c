#include "unit.h"

#include "policy/gate.h"

static void names_are_found_in_any_case(void **state)
{
    const struct gate *g = gate_find(STR("ALWAYS"));
    assert_non_null(g);
    assert_string_equal(g->name, "always");
    assert_non_null(trigger_find(g, STR("Always")));
    assert_null(trigger_find(g, STR("never")));
    assert_null(gate_find(STR("alway")));
    assert_null(gate_find(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_found_in_any_case)};
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
