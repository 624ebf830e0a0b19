/* All of flowgap's public interface. */
#ifndef FLOWGAP_FLOWGAP_H
#define FLOWGAP_FLOWGAP_H

#include "flowgap/analysis.h"
#include "flowgap/base.h"
#include "flowgap/certificate.h"
#include "flowgap/distance.h"
#include "flowgap/engine.h"
#include "flowgap/flow.h"
#include "flowgap/law.h"
#include "flowgap/model.h"
#include "flowgap/residual.h"
#include "flowgap/sde.h"
#include "flowgap/status.h"
#include "flowgap/target.h"
#include "flowgap/train.h"

#endif
