// All ops at once, for users. Files inside the project include the families they need.
#pragma once

#include "autograd/ops/attention.h"
#include "autograd/ops/crf.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/rows.h"
#include "autograd/ops/segment_ops.h"
#include "autograd/ops/softmax.h"
