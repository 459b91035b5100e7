"""Which names the modules of this folder define: written by `pytest tests/ops/test_names.py --bless`."""

from __future__ import annotations

# operators and their aliases, by module
DEFINED: dict[str, str] = {
    "activations": (
        "celu elu hardshrink hardsigmoid hardswish hardtanh leaky_relu prelu prelu_kernel relu6 rrelu_with_noise selu "
        "softshrink threshold "
    ),
    "angles": (
        "acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh cosh deg2rad exp2 "
        "hypot log10 log2 rad2deg rest_of_square sinh "
    ),
    "arithmetic": (
        "add div divide mul multiply neg negative positive pow reciprocal rsub square sub subtract true_divide "
    ),
    "arrange": (
        "diag diag_embed diagflat diagonal_copy diff renorm repeat_interleave repeated_positions roll rot90 take "
    ),
    "bits": (
        "copysign float_power fmax fmin frac frexp frexp_parts gcd heaviside isclose isneginf isposinf lcm ldexp "
        "logaddexp logaddexp2 nextafter signbit "
    ),
    "bounds": "clamp clamp_lower clamp_max clamp_max_tensor clamp_min clamp_min_tensor clamp_tensor clamp_upper clip",
    "branches": "cond",
    "carried": "",
    "checks": "",
    "compare": (
        "bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor eq ge greater "
        "greater_equal gt isfinite isinf isnan le less less_equal logical_and logical_not logical_or logical_xor lt ne "
        "nonzero not_equal where "
    ),
    "complex_numbers": (
        "adjoint angle complex conj conj_physical imag isreal polar put_part real sgn vdot view_as_complex "
        "view_as_real "
    ),
    "contractions": "einsum inner kron tensordot",
    "control": "alias cast clone detach flat project promote stop_reverse",
    "convolutions": "convolution convolution_weight",
    "create": "arange eye full linspace literal",
    "cross_entropies": "binary_cross_entropy",
    "ctc": "banded_recurrence ctc_paths",
    "determinants": "cofactors cofactors_along det linalg_det linalg_slogdet linalg_slogdet_node logdet slogdet",
    "distances": "cdist cdist_norm dist dist_norm pair_differences pair_sums",
    "elementary": "abs absolute cos erf exp expm1 log log1p relu rsqrt sigmoid sign sin softplus sqrt tan tanh",
    "extremes": "amax amin argmax argmin max max_all max_dim maximum min min_all min_dim minimum",
    "factors": (
        "linalg_lu linalg_lu_factor linalg_lu_factor_ex linalg_lu_node linalg_lu_solve linalg_qr linalg_qr_node lu "
        "lu_solve lu_unpack permutation_matrix qr "
    ),
    "folded_scatters": "index_fold index_reduce scatter_fold scatter_multiply scatter_reduce",
    "fourier": (
        "fft_c2c fft_c2r fft_fft fft_fft2 fft_fftn fft_fftshift fft_hfft fft_hfft2 fft_hfftn fft_ifft fft_ifft2 "
        "fft_ifftn fft_ifftshift fft_ihfft fft_ihfft2 fft_ihfftn fft_irfft fft_irfft2 fft_irfftn fft_r2c fft_rfft "
        "fft_rfft2 fft_rfftn "
    ),
    "fused": "addbmm addcdiv addcmul addmv addr baddbmm lerp named nan_to_num",
    "gates": "gelu gelu_slope glu log_sigmoid mish silu softsign tanhshrink",
    "grids": (
        "argwhere block_diag cartesian_prod column_stack combinations dstack fliplr flipud gradient isin meshgrid "
        "row_stack sum_to_size unravel_index "
    ),
    "index": "gather index index_add index_one index_put index_select scatter_add take_along_dim",
    "joining": "cat concat concatenate hstack stack vstack",
    "ldl": "ldl_node ldl_solve_node linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve",
    "least_squares": "least_squares linalg_lstsq linalg_pinv linalg_pinv_limited linalg_pinv_node pinverse",
    "linalg": "addmm batched_matmul bmm dot ger matmul mm mv outer row_product",
    "loops": "while_backward while_loop",
    "losses": "binary_cross_entropy_with_logits mse_loss nll_loss",
    "low_rank": "lobpcg pca_lowrank svd_lowrank",
    "masks": "counted index_mask index_mask_backward mask_put masked_fill masked_select masked_select_node",
    "matrices": (
        "inverse linalg_inv linalg_inv_ex linalg_inv_node linalg_matrix_exp linalg_solve linalg_solve_ex "
        "linalg_solve_node lu_info matrix_exp matrix_power "
    ),
    "movement": (
        "broadcast_to expand expand_as flip moveaxis movedim permute repeat swapaxes swapdims t tile transpose tril "
        "triu "
    ),
    "neural": "linear",
    "normalise": "log_softmax log_softmax_backward logsumexp softmax softmax_backward",
    "norms": (
        "frobenius_norm linalg_cond linalg_diagonal linalg_matrix_rank linalg_norm linalg_tensorinv linalg_tensorsolve "
        "linalg_vander matrix_norm nuclear_norm vander vector_norm "
    ),
    "ordering": (
        "argsort kthvalue kthvalue_dim median median_all median_dim mode mode_dim msort nanmedian sort sort_dim topk "
        "topk_dim "
    ),
    "overwrite": "copy_slices overwrite strided_view",
    "pieces": "atleast_1d atleast_2d atleast_3d broadcast_tensors dsplit hsplit split_with_sizes tensor_split vsplit",
    "place": "place",
    "polynomials": (
        "special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v "
        "special_chebyshev_polynomial_w special_hermite_polynomial_h special_hermite_polynomial_he "
        "special_laguerre_polynomial_l special_legendre_polynomial_p special_shifted_chebyshev_polynomial_t "
        "special_shifted_chebyshev_polynomial_u special_shifted_chebyshev_polynomial_v "
        "special_shifted_chebyshev_polynomial_w "
    ),
    "pools": "max_pool spread_pool sum_pool",
    "products": "chain_matmul cross linalg_cross linalg_multi_dot linalg_vecdot",
    "puts": "bounded_positions index_copy index_fill masked_scatter put scatter",
    "random": (
        "binomial_counts distribution_parameter poisson_counts random_integers random_normal random_permutation "
        "random_uniform "
    ),
    "reduce": "all any cumsum mean prod products_of_others sum trace",
    "reflections": "geqrf geqrf_node linalg_householder_product orgqr ormqr",
    "reinterpret": "view_dtype",
    "removed_names": "eig lstsq matrix_rank solve symeig",
    "reshape": "flatten ravel reshape reshape_alias reshape_as squeeze unflatten unsafe_view unsqueeze view view_as",
    "results": "",
    "robust_losses": "huber",
    "rounding": "ceil div_floor div_trunc fix floor floor_divide fmod remainder round trunc",
    "row_distances": "pair_distances pair_slopes row_distances row_slopes",
    "running": "cumprod cumulative_trapezoid linear_recurrence logcumsumexp trapezoid trapz",
    "running_extremes": "cummax cummax_dim cummin cummin_dim",
    "scans": "scan",
    "scatters": "as_strided_scatter diagonal_scatter select_scatter slice_scatter",
    "searching": (
        "bincount bincount_node bucketize count_nonzero histc histc_bins searchsorted searchsorted_rows unique "
        "unique_consecutive unique_consecutive_node unique_dim_node unique_node unique_positions "
    ),
    "slicing": (
        "chunk diagonal diagonal_backward narrow select select_backward slice slice_backward split split_piece "
        "split_sizes_piece unbind unbind_piece whole "
    ),
    "special_functions": (
        "digamma erfc erfinv i0 lgamma logit polygamma sinc sinc_slope special_entr special_erfcx special_i0e "
        "special_i1 special_i1e special_log_ndtr special_ndtr special_ndtri "
    ),
    "special_pairs": "igamma igammac mvlgamma special_xlog1py special_zeta xlogy",
    "special_plain": (
        "special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1 "
        "special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0 special_modified_bessel_k1 "
        "special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1 special_spherical_bessel_j0 "
    ),
    "special_slopes": (
        "bessel_ratio erfcx_slope erfinv_slope gamma_density gaussian ndtri_slope normal_excess normal_hazard "
    ),
    "spectra": "check_phase linalg_eig linalg_eig_node linalg_eigh linalg_eigh_node linalg_svd linalg_svd_node svd",
    "spectral_values": (
        "eigenvalues hermitian_eigenvalues linalg_eigvals linalg_eigvalsh linalg_svdvals singular_values "
    ),
    "spread": "linalg_vector_norm norm std var",
    "standardise": "standardise standardise_backward",
    "statistics": (
        "amax_of_both amin_of_both aminmax corrcoef cov nanmean nanquantile nansum quantile std_and_mean std_mean "
        "var_and_mean var_mean "
    ),
    "triangular": (
        "cholesky cholesky_info cholesky_inverse cholesky_node cholesky_solve cholesky_solve_node linalg_cholesky "
        "linalg_cholesky_ex linalg_solve_triangular linalg_solve_triangular_node triangular_solve "
    ),
    "weighted_rows": "row_products spread_rows weighted_rows",
    "windows": "as_strided put_strided put_unfolded read_again strided_or_zero unfold written_base",
}

# methods of tensors
METHODS = (
    "abs abs_ absolute absolute_ acos acos_ acosh acosh_ add add_ addbmm addbmm_ addcdiv addcdiv_ addcmul addcmul_ "
    "addmm addmm_ addmv addmv_ addr addr_ adjoint all amax amin aminmax angle any arccos arccos_ arccosh arccosh_ "
    "arcsin arcsin_ arcsinh arcsinh_ arctan arctan2 arctan2_ arctan_ arctanh arctanh_ argmax argmin argsort argwhere "
    "as_strided as_strided_scatter asin asin_ asinh asinh_ atan atan2 atan2_ atan_ atanh atanh_ baddbmm baddbmm_ "
    "bincount bitwise_and bitwise_and_ bitwise_left_shift bitwise_left_shift_ bitwise_not bitwise_not_ bitwise_or "
    "bitwise_or_ bitwise_right_shift bitwise_right_shift_ bitwise_xor bitwise_xor_ bmm broadcast_to ceil ceil_ "
    "cholesky cholesky_inverse cholesky_solve chunk clamp clamp_ clamp_max clamp_max_ clamp_min clamp_min_ clip clip_ "
    "clone conj_physical conj_physical_ copysign copysign_ corrcoef cos cos_ cosh cosh_ count_nonzero cov cross cummax "
    "cummin cumprod cumprod_ cumsum cumsum_ deg2rad deg2rad_ det detach diag diag_embed diagflat diagonal "
    "diagonal_scatter diff digamma digamma_ dist div div_ divide divide_ dot dsplit eig eq eq_ erf erf_ erfc erfc_ "
    "erfinv erfinv_ exp exp2 exp2_ exp_ expand expand_as expm1 expm1_ fix fix_ flatten flip fliplr flipud float_power "
    "float_power_ floor floor_ floor_divide floor_divide_ fmax fmin fmod fmod_ frac frac_ frexp gather gcd gcd_ ge ge_ "
    "geqrf ger greater greater_ greater_equal greater_equal_ gt gt_ hardshrink heaviside heaviside_ histc hsplit hypot "
    "hypot_ i0 i0_ igamma igamma_ igammac igammac_ index_add index_add_ index_copy index_copy_ index_fill index_fill_ "
    "index_put index_put_ index_reduce index_reduce_ index_select inner inverse isclose isfinite isinf isnan isneginf "
    "isposinf isreal kron kthvalue lcm lcm_ ldexp ldexp_ le le_ lerp lerp_ less less_ less_equal less_equal_ lgamma "
    "lgamma_ log log10 log10_ log1p log1p_ log2 log2_ log_ log_softmax logaddexp logaddexp2 logcumsumexp logdet "
    "logical_and logical_and_ logical_not logical_not_ logical_or logical_or_ logical_xor logical_xor_ logit logit_ "
    "logsumexp lstsq lt lt_ lu lu_solve masked_fill masked_fill_ masked_scatter masked_scatter_ masked_select matmul "
    "matrix_exp matrix_power max maximum mean median min minimum mm mode moveaxis movedim msort mul mul_ multiply "
    "multiply_ mv mvlgamma mvlgamma_ nan_to_num nan_to_num_ nanmean nanmedian nanquantile nansum narrow ne ne_ neg "
    "neg_ negative negative_ nextafter nextafter_ nonzero norm not_equal not_equal_ orgqr ormqr outer permute pinverse "
    "polygamma polygamma_ positive pow pow_ prelu prod put put_ qr quantile rad2deg rad2deg_ ravel reciprocal "
    "reciprocal_ relu relu_ remainder remainder_ renorm renorm_ repeat repeat_interleave reshape reshape_as roll rot90 "
    "round round_ rsqrt rsqrt_ scatter scatter_ scatter_add scatter_add_ scatter_reduce scatter_reduce_ select "
    "select_scatter sgn sgn_ sigmoid sigmoid_ sign sign_ signbit sin sin_ sinc sinc_ sinh sinh_ slice_scatter slogdet "
    "softmax solve sort split split_with_sizes sqrt sqrt_ square square_ squeeze std sub sub_ subtract subtract_ sum "
    "sum_to_size svd swapaxes swapdims symeig t take take_along_dim tan tan_ tanh tanh_ tensor_split tile topk trace "
    "transpose triangular_solve tril tril_ triu triu_ true_divide true_divide_ trunc trunc_ unbind unflatten unfold "
    "unique unique_consecutive unsqueeze var vdot view view_as vsplit xlogy xlogy_ "
)
