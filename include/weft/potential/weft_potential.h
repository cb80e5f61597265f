/* SPDX-License-Identifier: MIT */
#ifndef WEFT_POTENTIAL_H
#define WEFT_POTENTIAL_H

/*
 * A MACE potential for C, Fortran and whatever calls C. This header has declarations only; one C++ source of the program
 * has their definitions:
 *
 *     #include <weft/potential/c_interface.hpp>
 *
 * Units: Å, eV, eV/Å, eV/Å^3. Matrices are row-major; the rows of a cell are lattice vectors. One potential must not be
 * used from two threads at once.
 */

#ifdef __cplusplus
extern "C" {
#endif

/** A model and what it keeps from call to call. */
typedef struct weft_potential weft_potential;

/** Options of weft_potential_load. */
typedef struct weft_potential_options {
    int double_precision; /* 0: compute in float (forces to about 1e-6 eV/Å), else in double */
    int tabulated;        /* not 0: radial networks as tables: faster, nearly the same */
    double skin;          /* in Å; the list of neighbours is made anew when an atom has moved by half of it; < 0: 0.5 */
} weft_potential_options;

/* A model of a file of safetensors, see weft::potential::load_mace; `options` may be NULL: float, networks, 0.5 Å. NULL
 * when it cannot be read: see weft_potential_error(NULL). */
weft_potential* weft_potential_load(const char* path, const weft_potential_options* options);
void weft_potential_free(weft_potential* potential); /* NULL is nothing */

/* Atoms further apart do not see each other directly. */
double weft_potential_cutoff(const weft_potential* potential);
/* Whether the model knows an element. */
int weft_potential_knows(const weft_potential* potential, int atomic_number);

/* Energy and, where not NULL, forces [n, 3], stress [3, 3] (dE/dstrain / volume; zeros without a volume) and the energy of
 * each atom [n]. positions [n, 3]; species [n] as atomic numbers; cell [3, 3] and pbc [3] (0 or not), or both NULL in open
 * space. 0 when all went well; else nothing is written, and weft_potential_error(potential) says why. */
int weft_potential_compute(weft_potential* potential, int n, const double* positions, const int* species,
                           const double* cell, const int* pbc, double* energy, double* forces, double* stress,
                           double* node_energies);

/* What was wrong with the last call that failed, of this potential, or of the last one that was loaded by this thread. */
const char* weft_potential_error(const weft_potential* potential);

#ifdef __cplusplus
}
#endif

#endif
