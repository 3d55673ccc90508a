# The addon, for node-gyp. Sources and flags stand in sources.json, which CMakeLists.txt reads too.
{
  'variables': {
    'heddle_openmp%': '<!(node scripts/build-openmp.mjs)',
  },
  'target_defaults': {
    'include_dirs': ['native'],
    'defines': ['NDEBUG'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++17', '-fexceptions', '-Wall', '-Wextra'],
    'cflags': ['-O3', '-fvisibility=hidden', '-ffp-contract=off'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'CLANG_CXX_LIBRARY': 'libc++',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CFLAGS': ['-ffp-contract=off'],
    },
    # The kernels use the builtins and attributes of GCC and Clang.
    'msbuild_toolset': 'ClangCL',
    'msvs_settings': {
      'VCCLCompilerTool': {
        'ExceptionHandling': 1,
        'RuntimeTypeInfo': 'true',
        'Optimization': 2,
        'AdditionalOptions': ['/std:c++17', '/clang:-O3', '/clang:-ffp-contract=off', '/utf-8'],
      },
    },
  },
  'targets': [
    {
      'target_name': 'heddle',
      'sources': [
        '<!@(node scripts/build-sources.mjs core)',
        '<!@(node scripts/build-sources.mjs binding)',
      ],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
        'NODE_ADDON_API_CPP_EXCEPTIONS_ALL',
        'HEDDLE_VERSION="<!(node -p "require(\'./package.json\').version")"',
      ],
      'dependencies': ['heddle_scalar'],
      'conditions': [
        ['heddle_openmp==1', {'cflags': ['-fopenmp'], 'ldflags': ['-fopenmp']}],
        ['OS=="linux"', {
          # A worker's exit unloads an addon that only workers have loaded, under the engine thread's feet.
          'ldflags': ['-Wl,-z,nodelete'],
        }],
        ['target_arch=="x64"', {
          'dependencies': [
            'heddle_avx2', 'heddle_avx2vnni', 'heddle_avx512', 'heddle_avx512vnni',
            'heddle_avx512bf16',
          ],
        }],
        ['target_arch=="arm64"', {'dependencies': ['heddle_neon', 'heddle_neondot']}],
      ],
    },
    {
      'target_name': 'heddle_scalar',
      'type': 'static_library',
      'sources': ['<!@(node scripts/build-sources.mjs isas scalar sources)'],
      'cflags': ['<!@(node scripts/build-sources.mjs isas scalar gcc)'],
      'xcode_settings': {'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas scalar gcc)']},
      'msvs_settings': {'VCCLCompilerTool': {
        'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas scalar msvc)'],
      }},
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {'targets': [
      {
        'target_name': 'heddle_avx2',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas avx2 sources)'],
        'cflags': ['<!@(node scripts/build-sources.mjs isas avx2 gcc)'],
        'xcode_settings': {
          'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas avx2 gcc)'],
        },
        'msvs_settings': {'VCCLCompilerTool': {
          'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas avx2 msvc)'],
        }},
      },
      {
        'target_name': 'heddle_avx2vnni',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas avx2vnni sources)'],
        'cflags': ['<!@(node scripts/build-sources.mjs isas avx2vnni gcc)'],
        'xcode_settings': {
          'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas avx2vnni gcc)'],
        },
        'msvs_settings': {'VCCLCompilerTool': {
          'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas avx2vnni msvc)'],
        }},
      },
      {
        'target_name': 'heddle_avx512',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas avx512 sources)'],
        'cflags': ['<!@(node scripts/build-sources.mjs isas avx512 gcc)'],
        'xcode_settings': {
          'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas avx512 gcc)'],
        },
        'msvs_settings': {'VCCLCompilerTool': {
          'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas avx512 msvc)'],
        }},
      },
      {
        'target_name': 'heddle_avx512vnni',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas avx512vnni sources)'],
        'cflags': ['<!@(node scripts/build-sources.mjs isas avx512vnni gcc)'],
        'xcode_settings': {
          'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas avx512vnni gcc)'],
        },
        'msvs_settings': {'VCCLCompilerTool': {
          'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas avx512vnni msvc)'],
        }},
      },
      {
        'target_name': 'heddle_avx512bf16',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas avx512bf16 sources)'],
        'cflags': ['<!@(node scripts/build-sources.mjs isas avx512bf16 gcc)'],
        'xcode_settings': {
          'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas avx512bf16 gcc)'],
        },
        'msvs_settings': {'VCCLCompilerTool': {
          'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas avx512bf16 msvc)'],
        }},
      },
    ]}],
    ['target_arch=="arm64"', {'targets': [
      {
        'target_name': 'heddle_neon',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas neon sources)'],
      },
      {
        'target_name': 'heddle_neondot',
        'type': 'static_library',
        'sources': ['<!@(node scripts/build-sources.mjs isas neondot sources)'],
        'cflags': ['<!@(node scripts/build-sources.mjs isas neondot gcc)'],
        'xcode_settings': {
          'OTHER_CFLAGS': ['<!@(node scripts/build-sources.mjs isas neondot gcc)'],
        },
        'msvs_settings': {'VCCLCompilerTool': {
          'AdditionalOptions': ['<!@(node scripts/build-sources.mjs isas neondot msvc)'],
        }},
      },
    ]}],
  ],
}
