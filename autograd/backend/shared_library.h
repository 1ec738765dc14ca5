// Libraries that are opened at run time, so that programs start on machines without them.
#pragma once

#include <dlfcn.h>

#include "autograd/check.h"

namespace sesame {

// The function `name` of an open library, into a pointer of its type. Throws Error("[op] <title> lacks ...").
template <class Function>
void find_function(void* library, const char* op, const char* title, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  SESAME_CHECK(function != nullptr, op, "{} lacks {}: {}", title, name, dlerror());
}

}  // namespace sesame
