// Pairs with a tab on standard input; the order by node-semver (its directory is the argument), or
// ? where it refuses one.
const SemVer = require(process.argv[2] + '/classes/semver')
const lines = require('fs').readFileSync(0, 'utf8').split('\n').slice(0, -1)
const answers = lines.map((line) => {
  const [a, b] = line.split('\t')
  try {
    return '<=>'[new SemVer(a, { loose: true }).compare(new SemVer(b, { loose: true })) + 1]
  } catch {
    return '?'
  }
})
process.stdout.write(answers.join('\n') + '\n')
