<?php
// Pairs with a tab on standard input; the order by composer/semver, or ? where it refuses one or says that neither
// is less and they differ (branches).
require '/usr/share/php/Composer/Semver/autoload.php';

use Composer\Semver\Comparator;
use Composer\Semver\VersionParser;

function order(string $line): string
{
    $parser = new VersionParser();
    [$a, $b] = explode("\t", rtrim($line, "\n"));
    try {
        $a = $parser->normalize($a);
        $b = $parser->normalize($b);
    } catch (UnexpectedValueException $e) {
        return '?';
    }
    // Comparator gives no order to a branch and a version; PHP's version_compare does: the branch is less.
    if ((strpos($a, 'dev-') === 0) !== (strpos($b, 'dev-') === 0)) {
        return strpos($a, 'dev-') === 0 ? '<' : '>';
    }
    if (Comparator::equalTo($a, $b)) {
        return '=';
    }
    return Comparator::lessThan($a, $b) ? '<' : (Comparator::greaterThan($a, $b) ? '>' : '?');
}

while (($line = fgets(STDIN)) !== false) {
    echo order($line), "\n";
}
