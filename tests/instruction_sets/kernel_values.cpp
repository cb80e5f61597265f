// SPDX-License-Identifier: MIT
// usage: kernel_values <safetensors file to write>
#include "kernel_values.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: kernel_values <safetensors file to write>\n", stderr);
        return 2;
    }
    try {
        KernelValues values;
        add_core_values(values);
        add_product_values(values);
        add_graph_values(values);
        add_equivariant_values(values);
        weft::io::save_safetensors(argv[1], values.tensors());
        std::printf("%zu tensors, %d floats in a packet\n", values.tensors().size(),
                    static_cast<int>(weft::lanes<float>));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
