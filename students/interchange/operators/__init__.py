"""ONNX operators in torch operations, so that counting, layouts and sparsity come from the one counting core."""
