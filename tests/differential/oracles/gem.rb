# Pairs with a tab on standard input; the order by Gem::Version, or ? where it refuses one.
require "rubygems"

STDIN.each_line(chomp: true) do |line|
  a, b = line.split("\t", -1)
  unless Gem::Version.correct?(a) && Gem::Version.correct?(b)
    puts "?"
    next
  end
  puts({ -1 => "<", 0 => "=", 1 => ">" }[Gem::Version.new(a) <=> Gem::Version.new(b)])
end
