/* main.c - finds the command and runs it. */
#include "cli/command.h"

int main(int argc, char **argv)
{
    return command_main(argc, argv);
}
