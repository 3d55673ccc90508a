/** Finds out which tools of a source build are missing, and the one command that brings them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** @returns {string[]} names of what is missing, as a reader knows them */
export function missingTools() {
  const missing = [];
  if (!runs(process.env.PYTHON ?? process.env.npm_config_python ?? 'python3', ['--version'])) {
    if (!runs('python', ['--version'])) missing.push('Python 3');
  }
  // On Windows node-gyp finds Visual Studio by its registry entries and says itself what it lacks.
  if (process.platform === 'win32') return missing;
  if (!runs(process.env.MAKE ?? 'make', ['--version'])) missing.push('make');
  const compiler = process.env.CXX ?? 'c++';
  if (!runs(compiler, ['--version'])) missing.push('a C++17 compiler');
  else if (!compilesCpp17(compiler))
    missing.push(`a compiler that knows C++17 (${compiler} does not)`);
  return missing;
}

/** @returns {string} the command that installs compiler, make and Python on this system */
export function howToInstall() {
  switch (process.platform) {
    case 'win32':
      return onWindows();
    case 'darwin':
      return 'xcode-select --install';
    default:
      if (existsSync('/etc/debian_version')) return 'sudo apt-get install -y g++ make python3';
      if (existsSync('/etc/alpine-release')) return 'apk add g++ make python3';
      if (existsSync('/etc/redhat-release')) return 'sudo dnf install -y gcc-c++ make python3';
      return 'install g++ (or clang++), make and python3 with your package manager';
  }
}

/** Two commands: winget would hand the options of Visual Studio's installer to Python's too. */
export function onWindows() {
  // The kernels are compiled by Clang: they use its and GCC's vector built-ins.
  const parts = ['Workload.VCTools', 'Component.VC.Llvm.Clang', 'Component.VC.Llvm.ClangToolset'];
  const add = parts.map((part) => `--add Microsoft.VisualStudio.${part}`).join(' ');
  const options = `--override "--wait --passive ${add} --includeRecommended"`;
  return [
    `winget install Microsoft.VisualStudio.2022.BuildTools ${options}`,
    'winget install Python.Python.3.12',
  ].join(' && ');
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function compilesCpp17(compiler) {
  const source = '#include <optional>\nint main() { return std::optional<int>(0).value(); }\n';
  const args = ['-x', 'c++', '-std=c++17', '-fsyntax-only', '-'];
  return (
    spawnSync(compiler, args, { input: source, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
  );
}
