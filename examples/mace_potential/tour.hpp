// SPDX-License-Identifier: MIT
#pragma once

namespace mace_potential {

/// The whole of a chemist's job on acetylacetone, in a few seconds.
void tour(bool quiet);

} // namespace mace_potential
