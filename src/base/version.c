#include "flowgap/base.h"

const char *fg_version(void)
{
  return FG_VERSION_TEXT;
}
